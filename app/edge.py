"""What every request passes before it reaches the page or the API: start-up, the visitor's address, open pages."""

from collections import Counter

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import logs, metrics, service
from app.help_page import help_page
from app.rates import client_address
from knowledge.errors import GuideError

# Parts of Streamlit's server that this app does not use, and so does not offer.
_CLOSED = ("/_stcore/upload_file", "/_stcore/agent", "/_stcore/metrics")
_SOCKET = "/_stcore/stream"
_BUSY_WAIT_S = "30"


class Startup:
    """Open the bot before the first visitor comes; if it cannot be served safely, say why in one line and stop."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a start that would leave somebody in danger without words; pass on everything else."""
        if scope["type"] == "lifespan":
            logs.configure()
            try:
                await run_in_threadpool(service.bot)
            except GuideError as error:
                await receive()
                await send({"type": "lifespan.startup.failed", "message": f"refusing to start: {error}"})
                return
        await self._app(scope, receive, send)


class VisitorAddress:
    """Make `client` the visitor's address where a trusted proxy says which it is."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read X-Forwarded-For from the right, as long as those who wrote it are trusted."""
        if scope["type"] in ("http", "websocket") and scope.get("client"):
            peer, port = scope["client"]
            forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
            address = client_address(peer, forwarded, service.settings().trusted_proxies)
            scope = {**scope, "client": (address, port if address == peer else 0)}
        await self._app(scope, receive, send)


class OpenPages:
    """Bound how many pages are open, in all and per address; who comes when all are taken gets the help lines."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count sockets of pages; close what this app does not use."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_CLOSED):
            await JSONResponse({"error": "this address is closed"}, 404)(scope, receive, send)
        elif self._full(scope) and (scope["path"] == _SOCKET or _wants_page(scope)):
            metrics.limited("pages")
            await _busy()(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == _SOCKET:
            await self._counted(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _full(self, scope: Scope) -> bool:
        settings, address = service.settings(), HTTPConnection(scope).client
        here = self._open[address.host] if address else 0
        return self._open.total() >= settings.max_pages or here >= settings.address_pages

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = HTTPConnection(scope).client
        host = client.host if client else ""
        self._open[host] += 1
        metrics.pages(self._open.total())
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[host] -= 1
            if not self._open[host]:
                del self._open[host]
            metrics.pages(self._open.total())


def _wants_page(scope: Scope) -> bool:
    return scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")


def _busy() -> Response:
    bot = service.bot()
    shown = bot.put_off("", "busy").reply
    return HTMLResponse(help_page(bot.vetted, bot.settings.country, shown), 503, {"retry-after": _BUSY_WAIT_S})


async def help_lines(_: Request) -> Response:
    """Show every signed help line on a page that needs no script."""
    bot = service.bot()
    return HTMLResponse(help_page(bot.vetted, bot.settings.country))
