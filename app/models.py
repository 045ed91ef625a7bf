"""The frozen values that travel from a visitor's words to a reply."""

from dataclasses import dataclass
from typing import Literal

from knowledge.lexicon import Mention

Kind = Literal["answer", "correction", "crisis", "refer", "out_of_scope", "clarify", "greeting", "invalid"]
KINDS: tuple[Kind, ...] = (
    "answer",
    "correction",
    "crisis",
    "refer",
    "out_of_scope",
    "clarify",
    "greeting",
    "invalid",
)


@dataclass(frozen=True)
class Turn:
    """An earlier turn of the conversation.

    Attributes:
        user: what the visitor typed.
        shown: ids of the facts and known errors in the reply, "fact:<id>" or "error:<id>"; empty if there were none.
        offered: ids of the choices or related questions below the reply, in order.
        kind: the reply's kind.

    """

    user: str
    shown: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    kind: Kind = "answer"


@dataclass(frozen=True)
class Signal:
    """A gate that fired.

    Attributes:
        gate: crisis, care, refer, injection, small-talk, language or scope.
        label: what was recognised, such as "overdose"; it selects the notice.
        phrase: the visitor's words that fired it, or how sure the learned opinion was. Shown by `ask --explain` only.

    """

    gate: str
    label: str
    phrase: str


@dataclass(frozen=True)
class Question:
    """One question, understood.

    Attributes:
        words: normalised tokens of the visitor's message.
        canonical: the standalone question in canonical words.
        plain: the standalone question in the visitor's own words. Both readings are encoded and compared.
        mentions: entities named in the visitor's own words.
        entities: ids of all entities the standalone question is about, carried-over ones included.

    """

    words: tuple[str, ...]
    canonical: str
    plain: str
    mentions: tuple[Mention, ...] = ()
    entities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A fact or known error that may answer, with the evidence.

    Attributes:
        owner: "fact:<id>" or "error:<id>".
        score: fused score, comparable within one question.
        features: named numbers behind the score, each about 0 to 1.
        view: the phrasing that came nearest.

    """

    owner: str
    score: float
    features: dict[str, float]
    view: str


@dataclass(frozen=True)
class Found:
    """What retrieval found for one question.

    Attributes:
        candidates: best first.
        known_share: how much of the question's weight lies on words that the base has, 0 to 1.

    """

    candidates: tuple[Candidate, ...]
    known_share: float


@dataclass(frozen=True)
class Decision:
    """What kind of reply to give, with which ids, and why.

    Attributes:
        kind: kind of the reply.
        ids: signed entries to show, in order: "fact:<id>", "error:<id>", "notice:<id>", "help:<id>".
        offers: ids of facts or known errors offered as questions below the reply.
        care: whether a care notice and help lines are added.
        reason: one line for maintainers; never shown to visitors.
        probability: calibrated probability that the first id answers, where one was computed.

    """

    kind: Kind
    ids: tuple[str, ...]
    offers: tuple[str, ...] = ()
    care: bool = False
    reason: str = ""
    probability: float | None = None


@dataclass(frozen=True)
class SourceNote:
    """A source of a shown text: which text, which source, the place in it and what it supports there."""

    for_id: str
    source_id: str
    title: str
    author: str
    container: str
    issued: str
    url: str
    locator: str
    supports: str


@dataclass(frozen=True)
class Related:
    """A question offered to the visitor; its title is signed text."""

    id: str
    title: str


@dataclass(frozen=True)
class Piece:
    """One signed text of a reply, with the id it was read from."""

    id: str
    text: str


@dataclass(frozen=True)
class Reply:
    """What a visitor reads. `text` is the `pieces` joined by blank lines, each the exact text of a signed entry."""

    kind: Kind
    pieces: tuple[Piece, ...]
    citations: tuple[SourceNote, ...] = ()
    related: tuple[Related, ...] = ()
    care: bool = False
    knowledge_digest: str = ""

    @property
    def text(self) -> str:
        """The whole reply as plain text."""
        return "\n\n".join(piece.text for piece in self.pieces)

    @property
    def fact_ids(self) -> tuple[str, ...]:
        """Ids of the facts shown, without prefix, in order."""
        return self._ids("fact")

    @property
    def error_ids(self) -> tuple[str, ...]:
        """Ids of the known errors corrected, without prefix, in order."""
        return self._ids("error")

    @property
    def notice_ids(self) -> tuple[str, ...]:
        """Ids of the notices and help lines shown, without prefix, in order."""
        return tuple(p.id.partition(":")[2] for p in self.pieces if p.id.startswith(("notice:", "help:")))

    def _ids(self, kind: str) -> tuple[str, ...]:
        found = (p.id.partition(":") for p in self.pieces)
        return tuple(dict.fromkeys(key for k, _, key in found if k == kind))
