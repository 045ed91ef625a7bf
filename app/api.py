"""HTTP beside the page: questions, facts, the whole base, and what a machine asks about this process."""

import asyncio
import json
from functools import lru_cache, partial
from http import HTTPStatus
from importlib.metadata import version

import structlog
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from app import metrics, reception, service
from app.bot import Bot
from app.compose import compose
from app.models import Decision
from app.openapi import Endpoint, describe
from app.reception import Held
from app.schemas import (
    EntryBody,
    ErrorBody,
    FactBody,
    FactLine,
    FactList,
    HealthBody,
    KnowledgeBody,
    ReadyBody,
    ReplyBody,
    ReplyRequest,
    fact_body,
    reply_body,
)
from knowledge.errors import GuideError, UnsignedTextError
from knowledge.signing import holds

_log = structlog.get_logger()
MAX_BODY_BYTES = 256_000
_BUSY_WAIT_S = 2
_AT_ONCE = CapacityLimiter(8)  # replies in work; more would only take turns on the same cores
_PUTTING_OFF = CapacityLimiter(1)  # a flood that is held back takes one thread, not those that answer


async def reply(request: Request) -> Response:
    """Answer one message."""
    asked = _parsed(await _body(request))
    bot = service.bot()
    country = asked.country if asked.country in bot.vetted.countries else None
    held = reception.held_back(address=_address(request))
    if held is None and _AT_ONCE.statistics().tasks_waiting >= bot.settings.max_waiting:
        held = Held("waiting", _BUSY_WAIT_S)
    if held is None:
        history = tuple(said.user for said in asked.history[-bot.settings.history_turns or len(asked.history) :])
        answered = partial(reception.answer, asked.text, history, country)
        return _json(reply_body(await run_sync(answered, limiter=_AT_ONCE)))
    shown = await run_sync(partial(reception.put_off, held, asked.text, country), limiter=_PUTTING_OFF)
    if shown.kind == "crisis":
        return _json(reply_body(shown))
    status = HTTPStatus.SERVICE_UNAVAILABLE if held.limit == "waiting" else HTTPStatus.TOO_MANY_REQUESTS
    return _json(reply_body(shown), status, {"retry-after": str(held.wait_s)})


async def facts(request: Request) -> Response:
    """List the facts that are served."""
    _count(request)
    vetted = service.bot().vetted
    lines = [FactLine(id=fact.id, topic=fact.topic, question=fact.question) for fact in vetted.facts.values()]
    return _json(FactList(knowledge_digest=vetted.digest, facts=lines))


async def fact(request: Request) -> Response:
    """Return one fact with its sources and sign-offs."""
    _count(request)
    bot = service.bot()
    known = bot.vetted.facts.get(request.path_params["id"])
    if known is None:
        raise HTTPException(404, "there is no fact with this id: see /api/facts")
    shown = compose(Decision("answer", (f"fact:{known.id}",)), bot.vetted, bot.settings.country)
    return _json(fact_body(known, shown))


async def knowledge(request: Request) -> Response:
    """Return every signed entry with its sign-off, and the digest of all of them."""
    _count(request)
    bot = service.bot()
    tag = f'"{bot.vetted.digest}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(await run_sync(_knowledge, bot), headers={"etag": tag}, media_type="application/json")


async def healthz(_: Request) -> Response:
    """Say that the process is alive."""
    return _json(HealthBody(status="ok"))


async def readyz(_: Request) -> Response:
    """Say whether questions can be answered, and from which base."""
    try:
        bot = await run_sync(service.bot)
    except GuideError as error:
        return _json(ReadyBody(ready=False, reason=str(error)), 503)
    body = ReadyBody(ready=bot.ready, knowledge_digest=bot.vetted.digest, facts=len(bot.vetted.facts))
    return _json(body, 200 if bot.ready else 503)


async def counters(_: Request) -> Response:
    """Return what was counted and measured, for Prometheus."""
    return Response(generate_latest(metrics.REGISTRY), headers={"content-type": CONTENT_TYPE_LATEST})


async def description(_: Request) -> Response:
    """Return this document."""
    return Response(_description(), media_type="application/json")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/reply",
        reply,
        {200: ReplyBody, 400: ErrorBody, 408: ErrorBody, 413: ErrorBody, 429: ReplyBody, 503: ReplyBody},
        body=ReplyRequest,
    ),
    Endpoint("GET", "/api/facts", facts, {200: FactList, 429: ErrorBody, 503: ErrorBody}),
    Endpoint("GET", "/api/facts/{id}", fact, {200: FactBody, 404: ErrorBody, 429: ErrorBody, 503: ErrorBody}),
    Endpoint("GET", "/api/knowledge", knowledge, {200: KnowledgeBody, 304: None, 429: ErrorBody, 503: ErrorBody}),
    Endpoint("GET", "/healthz", healthz, {200: HealthBody}),
    Endpoint("GET", "/readyz", readyz, {200: ReadyBody, 503: ReadyBody}),
    Endpoint("GET", "/metrics", counters, {200: None}),
    Endpoint("GET", "/api/openapi.json", description, {200: None}),
)


def _json(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _count(request: Request) -> None:
    """Count a request for something that is not help.

    Raises:
        HTTPException: this address has asked too much in the last minute.

    """
    if held := reception.held_back(address=_address(request)):
        metrics.limited(held.limit)
        headers = {"retry-after": str(held.wait_s)}
        raise HTTPException(429, "too many requests: wait as long as Retry-After says", headers)


async def _body(request: Request) -> bytes:
    """Read the body, as far as it is short and comes in time."""
    body = b""
    try:
        async with asyncio.timeout(service.settings().body_timeout):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    metrics.limited("body_size")
                    raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES} bytes", {"connection": "close"})
    except TimeoutError:
        metrics.limited("body_time")
        raise HTTPException(408, "the body came too slowly", {"connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection was closed before the body was complete") from None
    return body


def _parsed(body: bytes) -> ReplyRequest:
    try:
        return ReplyRequest.model_validate(json.loads(body))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise HTTPException(400, "; ".join(faults)[:500]) from None
    except (ValueError, RecursionError):
        expected = '{"text": "what is serotonin", "history": []}'
        raise HTTPException(400, f"expected JSON such as {expected}") from None


@lru_cache(maxsize=1)
def _knowledge(bot: Bot) -> bytes:
    vetted = bot.vetted
    groups = {
        "fact": vetted.facts,
        "error": vetted.known_errors,
        "notice": vetted.notices,
        "help": vetted.help_lines,
    }
    entries = [(f"{sort}:{name}", entry) for sort, group in groups.items() for name, entry in group.items()]
    for key, entry in entries:
        if not holds(entry, entry.review):
            raise UnsignedTextError(f"{key} changed after it was signed: run `knowledge check`")
    body = KnowledgeBody(
        knowledge_digest=vetted.digest,
        review_level=bot.settings.review_level,
        last_signed=max((entry.review.on for _, entry in entries if entry.review), default=None),
        entries=[EntryBody(id=key, content=entry.model_dump(mode="json")) for key, entry in entries],
        entities=[vetted.lexicon.entities[k].model_dump(mode="json") for k in sorted(vetted.lexicon.entities)],
    )
    return body.model_dump_json().encode()


@lru_cache(maxsize=1)
def _description() -> bytes:
    return json.dumps(describe(ENDPOINTS, title="Vetted answers", version=version("vetted-answers"))).encode()


async def _refuse(_: Request, error: Exception) -> Response:
    """Turn an HTTP error into JSON."""
    status, reason, headers = getattr(error, "status_code", 500), getattr(error, "detail", ""), None
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
    return _json(ErrorBody(error=reason), status, headers)


async def _fail(request: Request, error: Exception) -> Response:
    """Log what kind of fault it was, and no more: its message may hold a visitor's words."""
    _log.error("request_failed", path=request.scope["path"], error=type(error).__name__)
    return _json(ErrorBody(error="something on our side is not working"), 503)


def _route(endpoint: Endpoint, path: str) -> Route:
    return Route(path, endpoint.handler, methods=[endpoint.method])


_API = Router([_route(e, e.path.removeprefix("/api")) for e in ENDPOINTS if e.path.startswith("/api/")])
ROUTES = (
    Mount("/api", ExceptionMiddleware(_API, handlers={HTTPException: _refuse, Exception: _fail})),
    *(_route(e, e.path) for e in ENDPOINTS if not e.path.startswith("/api/")),
)
