"""HTTP beside the page: `POST /api/reply`, `GET /healthz`, `GET /readyz`."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app import service
from app.models import Reply
from knowledge.errors import GuideError

MAX_BODY_BYTES = 256_000


class Said(BaseModel):
    """One earlier message of the visitor."""

    model_config = ConfigDict(extra="ignore")

    user: Annotated[str, Field(max_length=20_000)]


class ReplyRequest(BaseModel):
    """The body of `POST /api/reply`."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=200_000)]
    history: Annotated[list[Said], Field(max_length=10_000)] = []
    country: str | None = None


def as_json(reply: Reply) -> dict[str, Any]:
    """Return the reply as the API shows it."""
    return {
        "kind": reply.kind,
        "text": reply.text,
        "pieces": [{"id": piece.id, "text": piece.text} for piece in reply.pieces],
        "fact_ids": reply.fact_ids,
        "error_ids": reply.error_ids,
        "notice_ids": reply.notice_ids,
        "citations": [vars(note) for note in reply.citations],
        "related": [{"id": offer.id, "title": offer.title} for offer in reply.related],
        "care": reply.care,
        "knowledge_digest": reply.knowledge_digest,
    }


async def reply(request: Request) -> JSONResponse:
    """Answer one message. 400: the body is not the expected JSON. 413: it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return JSONResponse({"error": f"the body is larger than {MAX_BODY_BYTES} bytes"}, 413)
    try:
        asked = ReplyRequest.model_validate(json.loads(body))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return JSONResponse({"error": "; ".join(faults)[:500]}, 400)
    except (ValueError, RecursionError):
        return JSONResponse({"error": 'expected JSON such as {"text": "what is serotonin", "history": []}'}, 400)
    bot = service.bot()
    country = asked.country if asked.country in bot.vetted.countries else None
    history = tuple(said.user for said in asked.history[-bot.settings.history_turns :])
    return JSONResponse(as_json(await run_in_threadpool(bot.reply, asked.text, history, country)))


async def healthz(_: Request) -> JSONResponse:
    """Say that the process is alive."""
    return JSONResponse({"status": "ok"})


async def readyz(_: Request) -> JSONResponse:
    """Say whether questions can be answered, and from which base. 503 while they cannot."""
    try:
        bot = await run_in_threadpool(service.bot)
    except GuideError as error:
        return JSONResponse({"ready": False, "reason": str(error)}, 503)
    state = {"ready": bot.ready, "knowledge_digest": bot.vetted.digest, "facts": len(bot.vetted.facts)}
    return JSONResponse(state, 200 if bot.ready else 503)


ROUTES = (
    Route("/api/reply", reply, methods=["POST"]),
    Route("/healthz", healthz),
    Route("/readyz", readyz),
)
