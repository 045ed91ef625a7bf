"""A question → the facts and known errors that may answer it: dense and lexical evidence, fused by fitted weights."""

from collections.abc import Iterable, Mapping, Sequence
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

_NEAREST = 64  # views asked of Chroma; about fifteen owners
_LEXICAL = 12  # owners added by shared words
_KEPT = 12  # candidates handed on
_CLOSEST = 4  # views that an owner's second dense feature is the mean of
# Naming another drug or medicine than a fact is about makes it a look-alike, not an answer.
_NAMED_KINDS = frozenset({"drug", "medicine"})


@dataclass(frozen=True)
class Owner:
    """A fact or known error as retrieval sees it.

    Attributes:
        rows: its views' rows in the index, consecutive.
        entities: what it is about, broader entities included.
        needs: groups of entities; an answer should be asked for by one of each.
        named: drugs and medicines it is about, with everything broader.

    """

    id: str
    rows: slice
    entities: frozenset[str]
    needs: tuple[frozenset[str], ...]
    named: frozenset[str]


class Retrieval:
    """Dense search in Chroma and TF-IDF over the same views and over each owner's vocabulary, joined per owner.

    Every question is compared in two readings, in canonical words and in the visitor's own; each feature is the mean
    of both.
    """

    def __init__(self, vetted: Vetted, index: Index, encoder: Encoder, calibration: Calibration) -> None:
        self._vetted = vetted
        self.index = index
        self.encoder = encoder
        self.calibration = calibration
        self._row = {view.id: row for row, view in enumerate(index.views)}
        self.owners = _owners(vetted, index.views)
        self._by_id = {owner.id: owner for owner in self.owners}
        self._place = {owner.id: place for place, owner in enumerate(self.owners)}
        self._lexical = Lexical.build([view.text for view in index.views])
        self._vocabulary = Lexical.build([_vocabulary(index.views[owner.rows]) for owner in self.owners])

    @timed("encode")
    def encode(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """Return text → vector for each distinct text: float32, shape (dim,), length 1."""
        distinct = list(dict.fromkeys(texts))
        return dict(zip(distinct, self.encoder.encode(distinct), strict=True))

    @timed("search")
    def find(self, question: Question, vectors: Mapping[str, np.ndarray]) -> Found:
        """Return the candidates for `question`, best first.

        Args:
            question: understood question.
            vectors: the encodings of both its readings (see `encode`).

        Raises:
            IndexUnavailableError: Chroma did not answer.

        """
        readings = tuple(dict.fromkeys((question.canonical, question.plain)))
        asked = _Asked(
            question,
            np.stack([vectors[text] for text in readings]),
            np.mean([self._lexical.scores(text) for text in readings], axis=0),
            np.mean([self._vocabulary.scores(text) for text in readings], axis=0),
        )
        candidates = (self._candidate(owner, asked) for owner in self._pool(asked))
        ranked = sorted(candidates, key=lambda c: (-c.score, c.owner))[:_KEPT]
        return Found(tuple(ranked), self._lexical.known_share(question.canonical))

    def _pool(self, asked: "_Asked") -> list[Owner]:
        nearest = self.index.nearest(asked.vectors[0], _NEAREST)
        # an id that no signed view has is not ours: a stale or poisoned store
        rows = (self._row[view_id] for view_id, _ in nearest if view_id in self._row)
        ids = dict.fromkeys(self.index.views[row].owner for row in rows)
        ids |= dict.fromkeys(
            self.owners[i].id
            for i in np.argsort(-asked.vocabulary, kind="stable")[:_LEXICAL]
            if asked.vocabulary[i] > 0
        )
        return [self._by_id[key] for key in ids]

    def _candidate(self, owner: Owner, asked: "_Asked") -> Candidate:
        cosines = self.index.vectors[owner.rows] @ asked.vectors.T  # (views, readings)
        best = np.sort(cosines, axis=0)[::-1]
        named = frozenset(asked.question.entities)
        features = {
            "dense": float(best[0].mean()),
            "dense_several": float(best[:_CLOSEST].mean()),
            "lexical": float(asked.lexical[owner.rows].max()),
            "vocabulary": float(asked.vocabulary[self._place[owner.id]]),
            "entities_met": len(named & owner.entities) / len(named) if named else 0.5,
            "needs_unmet": float(not self._meets(owner, named)),
            "other_named": float(self._names_other(owner, named)),
            "is_error": float(owner.id.startswith("error:")),
        }
        nearest = owner.rows.start + int(cosines.mean(axis=1).argmax())
        return Candidate(owner.id, self.calibration.rank(features), features, self.index.views[nearest].id)

    def _meets(self, owner: Owner, named: frozenset[str]) -> bool:
        """Return whether the question names one of each group `owner` needs, or something narrower."""
        broader = frozenset(a for e in named for a in self._vetted.lexicon.ancestors(e))
        return all(group & broader for group in owner.needs)

    def _names_other(self, owner: Owner, named: frozenset[str]) -> bool:
        """Return whether the question is about a drug or medicine and the owner only about other ones."""
        substances = [e for e in named if self._kind(e) in _NAMED_KINDS]
        if not substances or not owner.named:
            return False
        # heroin may be answered by a fact on opioids
        return not any(self._vetted.lexicon.ancestors(e) & owner.named for e in substances)

    def _kind(self, entity: str) -> str:
        found = self._vetted.lexicon.entities.get(entity)
        return found.kind if found else ""


@dataclass(frozen=True)
class _Asked:
    """A question with everything that is computed for it once.

    Attributes:
        vectors: shape (readings, dim); the canonical reading first.
        lexical: likeness to each view, shape (views,).
        vocabulary: likeness to each owner's vocabulary, shape (owners,).

    """

    question: Question
    vectors: np.ndarray
    lexical: np.ndarray
    vocabulary: np.ndarray


def _vocabulary(own: Sequence[View]) -> str:
    """Return every word of an owner's views once."""
    return " ".join(dict.fromkeys(word for view in own for word in view.text.split()))


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
