"""A question → the facts and known errors that may answer it: dense and lexical evidence, fused by fitted weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.calibration import Calibration
from app.lexical import Lexical
from app.metrics import timed
from app.models import Candidate, Found, Question
from knowledge.encoder import Encoder
from knowledge.index import Index, View
from knowledge.schema import Fact, KnownError
from knowledge.signing import Vetted

_NEAREST = 48  # views asked of Chroma; about ten owners
_LEXICAL = 8  # owners added by shared words
_KEPT = 12  # candidates handed on
# Naming another drug or medicine than a fact is about makes it a look-alike, not an answer.
_NAMED_KINDS = frozenset({"drug", "medicine"})


@dataclass(frozen=True)
class Owner:
    """A fact or known error as retrieval sees it.

    Attributes:
        rows: its views' rows in the index, consecutive.
        entities: what it is about, broader entities included.
        needs: groups of entities; the question must name one of each.
        named: drugs and medicines it is about, with everything broader.

    """

    id: str
    rows: slice
    entities: frozenset[str]
    needs: tuple[frozenset[str], ...]
    named: frozenset[str]


class Retrieval:
    """Dense search in Chroma and TF-IDF over the same views, joined per owner."""

    def __init__(self, vetted: Vetted, index: Index, encoder: Encoder, calibration: Calibration) -> None:
        self._vetted = vetted
        self.index = index
        self.encoder = encoder
        self.calibration = calibration
        self._lexical = Lexical.build([view.text for view in index.views])
        self._row = {view.id: row for row, view in enumerate(index.views)}
        self.owners = _owners(vetted, index.views)
        self._by_id = {owner.id: owner for owner in self.owners}
        self._starts = np.array([owner.rows.start for owner in self.owners])

    @timed("encode")
    def encode(self, canonical: str) -> np.ndarray:
        """Return the vector of a canonical question: float32, shape (dim,), length 1."""
        return self.encoder.encode([canonical])[0]

    @timed("search")
    def find(self, question: Question, vector: np.ndarray, exclude: frozenset[int] = frozenset()) -> Found:
        """Return the candidates for `question`, best first.

        Args:
            question: understood question.
            vector: its encoding.
            exclude: rows of views to leave out, for leave-one-out measurements.

        Raises:
            IndexUnavailableError: Chroma did not answer.

        """
        nearest = self.index.nearest(vector, _NEAREST + len(exclude))
        dense: dict[int, float] = {}
        for view_id, cosine in nearest:
            row = self._row.get(view_id)  # an id that no signed view has is not ours: a stale or poisoned store
            if row is not None and row not in exclude:
                dense[row] = cosine
        lexical = self._lexical.scores(question.canonical)
        if exclude:
            lexical[list(exclude)] = 0.0
        candidates = [
            self._candidate(owner, question, vector, lexical, exclude) for owner in self._pool(dense, lexical, question)
        ]
        ranked = sorted(candidates, key=lambda c: (-c.score, c.owner))[:_KEPT]
        return Found(vector, tuple(ranked), self._lexical.known_share(question.canonical))

    def _pool(self, dense: Mapping[int, float], lexical: np.ndarray, question: Question) -> list[Owner]:
        views = self.index.views
        ids = dict.fromkeys(views[row].owner for row in dense)
        best = np.maximum.reduceat(lexical, self._starts)
        ids |= dict.fromkeys(self.owners[i].id for i in np.argsort(-best, kind="stable")[:_LEXICAL] if best[i] > 0)
        named = self._closure(question.entities)
        owners = (self._by_id[key] for key in ids)
        return [owner for owner in owners if self._admits(owner, named)]

    def _closure(self, entities: Sequence[str]) -> frozenset[str]:
        return frozenset(a for e in entities for a in self._vetted.lexicon.ancestors(e))

    def _admits(self, owner: Owner, named: frozenset[str]) -> bool:
        """Return whether `owner` may answer: the question names one of each group it needs, or something narrower."""
        return all(group & named for group in owner.needs)

    def _names_other(self, owner: Owner, question: Question) -> bool:
        """Return whether the question is about a drug or medicine and the owner only about other ones."""
        asked = [e for e in question.entities if self._kind(e) in _NAMED_KINDS]
        if not asked or not owner.named:
            return False
        # heroin may be answered by a fact on opioids
        return not any(self._vetted.lexicon.ancestors(e) & owner.named for e in asked)

    def _kind(self, entity: str) -> str:
        found = self._vetted.lexicon.entities.get(entity)
        return found.kind if found else ""

    def _candidate(
        self, owner: Owner, question: Question, vector: np.ndarray, lexical: np.ndarray, exclude: frozenset[int]
    ) -> Candidate:
        rows = np.arange(owner.rows.start, owner.rows.stop)
        if exclude:
            rows = rows[[row not in exclude for row in rows]]
        cosines = self.index.vectors[rows] @ vector
        order = np.argsort(-cosines, kind="stable")
        own_lexical = lexical[rows]
        asked = frozenset(question.entities)
        features = {
            "dense": float(cosines[order[0]]),
            "dense3": float(cosines[order[:3]].mean()),
            "lexical": float(own_lexical.max()),
            "lexical3": float(np.sort(own_lexical)[-3:].mean()),
            "entities_met": len(asked & owner.entities) / len(asked) if asked else 0.5,
            "needs_met": min(len(owner.needs), 2) / 2,
            "other_named": float(self._names_other(owner, question)),
            "is_error": float(owner.id.startswith("error:")),
        }
        return Candidate(owner.id, self.calibration.rank(features), features, self.index.views[rows[order[0]]].id)


def _owners(vetted: Vetted, views: Sequence[View]) -> tuple[Owner, ...]:
    owners = []
    start = 0
    for stop in range(1, len(views) + 1):
        if stop == len(views) or views[stop].owner != views[start].owner:
            owners.append(_owner(vetted, views[start].owner, slice(start, stop)))
            start = stop
    return tuple(owners)


def _owner(vetted: Vetted, owner_id: str, rows: slice) -> Owner:
    kind, _, key = owner_id.partition(":")
    entry: Fact | KnownError = vetted.facts[key] if kind == "fact" else vetted.known_errors[key]
    lexicon = vetted.lexicon
    about = set(entry.entities) | {e for group in entry.needs for e in group}
    named = {
        e for e in about if e in lexicon.entities and lexicon.entities[e].kind in _NAMED_KINDS | {"substance-class"}
    }
    return Owner(
        id=owner_id,
        rows=rows,
        entities=frozenset(a for e in about for a in lexicon.ancestors(e)),
        needs=tuple(frozenset(group) for group in entry.needs),
        named=frozenset(named),
    )
