"""What a knowledge file may hold: frozen models, one per kind of file, unknown keys refused."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
LEVELS = ("source-checked", "clinician")  # lowest first
Level = Literal["source-checked", "clinician"]


def _one_paragraph(text: str) -> str:
    """Refuse text that a page could read as markup or as several paragraphs."""
    if re.search(r"[\n\r\t<>`]|\]\(|https?://", text):
        raise ValueError(
            "write plain sentences: no line breaks, markup or web addresses (links belong in sources.yaml)"
        )
    return text


Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=20, max_length=1200), AfterValidator(_one_paragraph)
]


class Model(BaseModel):
    """A frozen value with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Review(Model):
    """A sign-off. It holds as long as `digest` matches the content, the reviewer, the level and the dates."""

    by: Id  # a role, such as source-check; never a person
    level: Level
    on: date
    due: date
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class SentBack(Model):
    """A reviewer did not sign, and says why. It stands in the file until the text is signed or submitted anew."""

    by: Id
    on: date
    reason: Line


class Retraction(Model):
    """A text taken out of service. Its sign-offs are kept here, where they no longer count."""

    by: Id
    on: date
    reason: Line
    reviews: tuple[Review, ...] = ()


class Reviewed(Model):
    """Anything a visitor may read: it has an author and, once signed, one review (two where the risk is high)."""

    author: Id = "editor"
    review: Review | None = None
    second_review: Review | None = None
    sent_back: SentBack | None = None
    retracted: Retraction | None = None


# What is written about an entry, as against what the entry says: no part of the signed content.
RECORDS = frozenset({"review", "second_review", "sent_back", "retracted"})


class Citation(Model):
    """Where a statement comes from: a source, the place in it, and what it supports there."""

    id: Id
    locator: Line
    supports: Line


class Fact(Reviewed):
    """One vetted point, the phrasings it answers and the sources that carry it."""

    id: Id
    topic: Id
    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=120)]
    answer: Prose
    detail: Prose | None = None
    asks: tuple[Line, ...]
    entities: tuple[Id, ...]
    needs: tuple[tuple[Id, ...], ...] = ()
    corrects: tuple[Id, ...] = ()
    risk: Literal["low", "high"]
    related: tuple[Id, ...] = ()
    sources: Annotated[tuple[Citation, ...], Field(min_length=1)]


class SeenIn(Model):
    """Where a wrong idea was met: an article and the rows of its claim audit."""

    article: str
    claims: tuple[Id, ...]


class KnownError(Reviewed):
    """A wrong idea that people have, and the signed words that set it right."""

    id: Id
    topic: Id
    claim: Line
    why_wrong: Prose
    correction: Prose
    facts: Annotated[tuple[Id, ...], Field(min_length=1)]
    entities: tuple[Id, ...]
    needs: tuple[tuple[Id, ...], ...] = ()
    asks: tuple[Line, ...]
    assertions: tuple[Line, ...]
    lookalikes: tuple[Line, ...]
    seen_in: tuple[SeenIn, ...] = ()
    harm: Literal["low", "medium", "high"]
    sources: Annotated[tuple[Citation, ...], Field(min_length=1)]


class Notice(Reviewed):
    """A fixed sentence of the product that is not a fact: a greeting, a refusal, a crisis text."""

    id: Id
    lang: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    text: Prose


class HelpLine(Reviewed):
    """One way to reach help. `text` is what the visitor reads; `href` is its tel:, sms: or https: link."""

    id: Id
    kind: Literal["emergency", "crisis", "poison", "treatment", "abuse", "directory"]
    text: Prose
    href: Annotated[str, StringConstraints(pattern=r"^(tel:[+0-9]+|sms:[+0-9]+|https://[^\s<>\"]+)$")]
    hours: Line
    sources: Annotated[tuple[Citation, ...], Field(min_length=1)]


class Country(Model):
    """Help lines of one country; `international` stands for everywhere else."""

    code: Annotated[str, StringConstraints(pattern=r"^([a-z]{2}|international)$")]
    name: Line
    lines: Annotated[tuple[HelpLine, ...], Field(min_length=1)]


class Source(Model):
    """One citable work, in the words of the Citation Style Language."""

    id: Id
    type: Literal["article-journal", "book", "chapter", "webpage", "report", "guideline"]
    author: Line | None = None
    title: Line
    container: Line | None = None
    issued: Annotated[int, Field(ge=1900, le=2100)] | None = None
    DOI: Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    PMID: Annotated[str, StringConstraints(pattern=r"^\d{1,9}$")] | None = None
    URL: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    accessed: date | None = None


class Ambiguous(Model):
    """An alias that means the entity only in company: one of `near` (if any) is in the question and none of `not`."""

    near: tuple[Line, ...] = ()
    not_near: tuple[Line, ...] = Field(default=(), alias="not")


class Entity(Model):
    """A thing visitors name: its canonical name and the words they use for it."""

    id: Id
    name: Line
    kind: Literal[
        "drug",
        "medicine",
        "messenger",
        "receptor",
        "transporter",
        "enzyme",
        "condition",
        "treatment",
        "body",
        "substance-class",
        "food",
        "concept",
    ]
    aliases: tuple[Line, ...] = ()
    misspellings: tuple[Line, ...] = ()
    ambiguous: dict[str, Ambiguous] = Field(default_factory=dict)
    broader: tuple[Id, ...] = ()  # heroin → opioid: what is said of all opioids holds for heroin


class Rule(Model):
    """What one gate listens for under one label.

    Attributes:
        label: names the notice: "<gate>-<label>".
        always: phrases that fire whatever else is said.
        phrases: phrases that fire unless one of the `unless` phrases of the book or the rule is there too.
        unless: the company in which `phrases` mean something else ("in the movie").

    """

    label: Id
    always: tuple[Phrase, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    unless: tuple[Phrase, ...] = ()


class PhraseBook(Reviewed):
    """What some of the gates listen for, in a small grammar: see `app.gates`."""

    id: Id
    sets: dict[str, tuple[Phrase, ...]]
    unless: dict[str, tuple[Phrase, ...]] = Field(default_factory=dict)
    gates: dict[str, tuple[Rule, ...]]


class ClaimRow(Model):
    """One claim of a source article, judged, with its home in the knowledge base."""

    id: Id
    verdict: Literal["supported", "oversimplified", "unsupported", "false", "promotion"]
    facts: tuple[Id, ...] = ()
    errors: tuple[Id, ...] = ()
    none: Literal["not health information"] | None = None


class ClaimAudit(Model):
    """All claims of one source article."""

    article: str
    claims: tuple[ClaimRow, ...]


class Problem(Model):
    """Something wrong in a file: where, what, and how to mend it. Errors stop a release, advice does not."""

    code: str
    severity: Literal["error", "advice"]
    file: Path
    line: int
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity} {self.code}: {self.message} → {self.mend}"
