"""What the API takes and gives, as models: the one source of its checks, its JSON and its description."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.models import Kind, Reply
from knowledge.schema import Fact, Level, Review

MAX_TURNS = 10_000


class Model(BaseModel):
    """A value of the API."""

    model_config = ConfigDict(frozen=True)


class Said(Model):
    """One earlier message of the visitor. Other keys, such as what the bot said, are ignored."""

    user: Annotated[str, Field(max_length=20_000)]


class ReplyRequest(Model):
    """A message and what the same visitor typed before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(max_length=200_000, description="what the visitor typed")]
    history: Annotated[list[Said], Field(max_length=MAX_TURNS, description="earlier messages, oldest first")] = []
    country: Annotated[
        str | None, Field(max_length=40, description="whose help lines: us, uk, ie, ca, au, nz or international")
    ] = None


class PieceBody(Model):
    """One signed text and the id of the entry that holds it, letter for letter."""

    id: str
    text: str


class CitationBody(Model):
    """A source of a text: where in it, and what it supports."""

    for_id: str
    source_id: str
    title: str
    author: str
    container: str
    issued: str
    url: str
    locator: str
    supports: str


class RelatedBody(Model):
    """A question that can be asked next."""

    id: str
    title: str


class ReplyBody(Model):
    """A reply: signed texts only. `text` is the pieces joined by blank lines."""

    kind: Kind
    text: str
    pieces: list[PieceBody]
    fact_ids: list[str]
    error_ids: list[str]
    notice_ids: list[str]
    citations: list[CitationBody]
    related: list[RelatedBody]
    care: bool
    knowledge_digest: str


class FactLine(Model):
    """A fact in the list of facts."""

    id: str
    topic: str
    question: str


class FactList(Model):
    """All facts that are served."""

    knowledge_digest: str
    facts: list[FactLine]


class FactBody(FactLine):
    """One fact with its sources and sign-offs."""

    answer: str
    detail: str | None
    citations: list[CitationBody]
    reviews: list[Review]
    knowledge_digest: str


class EntryBody(Model):
    """Everything one signed entry says, with its sign-off: enough to compute the sign-off's digest again."""

    id: Annotated[str, Field(description="fact:…, error:…, notice:… or help:…")]
    content: Annotated[dict[str, Any], Field(description="the entry as its file has it, sign-offs included")]


class KnowledgeBody(Model):
    """The whole base as it is served, so that a copy can be compared with the signed files."""

    knowledge_digest: str
    review_level: Level
    last_signed: date | None
    entries: list[EntryBody]
    entities: Annotated[list[dict[str, Any]], Field(description="names and aliases; part of the digest")]


class HealthBody(Model):
    """The process lives."""

    status: str


class ReadyBody(Model):
    """Whether questions can be answered, and from which base."""

    ready: bool
    knowledge_digest: str | None = None
    facts: int | None = None
    reason: str | None = None


class ErrorBody(Model):
    """What was wrong with the request, without repeating it."""

    error: str


def reply_body(reply: Reply) -> ReplyBody:
    """Return the reply as the API shows it."""
    return ReplyBody(
        kind=reply.kind,
        text=reply.text,
        pieces=[PieceBody(id=piece.id, text=piece.text) for piece in reply.pieces],
        fact_ids=list(reply.fact_ids),
        error_ids=list(reply.error_ids),
        notice_ids=list(reply.notice_ids),
        citations=citations(reply),
        related=[RelatedBody(id=offer.id, title=offer.title) for offer in reply.related],
        care=reply.care,
        knowledge_digest=reply.knowledge_digest,
    )


def citations(reply: Reply) -> list[CitationBody]:
    """Return the sources of a reply as the API shows them."""
    return [CitationBody(**vars(note)) for note in reply.citations]


def fact_body(fact: Fact, shown: Reply) -> FactBody:
    """Return a fact as the API shows it; `shown` is the reply that shows it alone, verified."""
    texts = [piece.text for piece in shown.pieces]
    return FactBody(
        id=fact.id,
        topic=fact.topic,
        question=fact.question,
        answer=texts[0],
        detail=texts[1] if len(texts) > 1 else None,
        citations=citations(shown),
        reviews=[review for review in (fact.review, fact.second_review) if review],
        knowledge_digest=shown.knowledge_digest,
    )
