"""Asks against the index that serves them → figures, and asks and facts that visitors' questions would miss.

Each ask is left out of the index in turn and asked: a base that only finds what it has stored word for word finds
little of what visitors type. Only meaning is compared, not shared words or names, which the running search weighs too,
so it does better than these figures. A known error and the facts that correct it count as one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.decision import Sameness
from knowledge.index import Index
from knowledge.schema import Problem
from knowledge.scope import Scope
from knowledge.signing import Vetted
from knowledge.text import plain

MIN_FIRST, MIN_TOP_THREE = 0.90, 0.97  # shares of asks
MAX_COSINE_WITHIN = 0.93  # two asks of one entry that are nearer than this add nothing
MAX_COSINE_ACROSS = 0.97  # asks of two entries that are nearer than this are one question
_BLOCK = 1024  # rows compared at once
_LOOKED_AT = 12  # entries in which an ask's own one is looked for


@dataclass(frozen=True)
class Ask:
    """An ask as the index holds it: its entry, the words an editor wrote, and the rows of its readings."""

    owner: str
    text: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """What came back for one ask that was left out.

    Attributes:
        ask: the ask.
        first: the entry that came first; "" if nothing came.
        place: 1 if its own entry came first, and so on; 0 if it was not found.

    """

    ask: Ask
    first: str
    place: int


@dataclass(frozen=True)
class Figures:
    """How well the base finds itself: `first` and `top_three` are shares of `asks`, 0 to 1."""

    asks: int
    first: float
    top_three: float

    @property
    def enough(self) -> bool:
        """Whether both shares reach their floors."""
        return self.first >= MIN_FIRST and self.top_three >= MIN_TOP_THREE


def asks_of(vetted: Vetted, index: Index) -> tuple[Ask, ...]:
    """Return the asks of all signed entries that are in the index; titles, answers and claims are not asked."""
    row = {(view.owner, view.text): n for n, view in enumerate(index.views)}
    entries = {f"fact:{fact.id}": fact.asks for fact in vetted.facts.values()}
    entries |= {f"error:{error.id}": error.asks for error in vetted.known_errors.values()}
    return tuple(
        Ask(
            owner,
            ask,
            tuple(dict.fromkeys(row[owner, reading] for reading in (vetted.lexicon.canonical(ask), plain(ask)))),
        )
        for owner, asks in entries.items()
        for ask in asks
    )


def outcomes(asks: tuple[Ask, ...], index: Index, same: Sameness) -> Iterator[Outcome]:
    """Yield what each ask finds, by meaning alone, while all its readings are left out of the index.

    An entry counts as near as its nearest view; over the readings of the ask the mean is taken.
    """
    owners = list(dict.fromkeys(view.owner for view in index.views))
    starts = [n for n, view in enumerate(index.views) if n == 0 or index.views[n - 1].owner != view.owner]
    for ask in asks:
        cosines = index.vectors[list(ask.rows)] @ index.vectors.T
        cosines[:, list(ask.rows)] = -1.0
        best = np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0)
        near = [owners[i] for i in np.argsort(-best, kind="stable")[:_LOOKED_AT]]
        place = next((n for n, owner in enumerate(near, start=1) if same(owner, ask.owner)), 0)
        yield Outcome(ask, near[0], place)


def figures(found: tuple[Outcome, ...]) -> Figures:
    """Return the shares; NaN where there is no ask."""
    places = np.array([outcome.place for outcome in found], dtype=int)
    if not len(places):
        return Figures(0, float("nan"), float("nan"))
    return Figures(len(places), float((places == 1).mean()), float(((places >= 1) & (places <= 3)).mean()))


def missed(found: tuple[Outcome, ...], scope: Scope) -> Iterator[Problem]:
    """Asks that another entry answers first, and entries that none of their own asks reaches."""
    reached = Counter(outcome.ask.owner for outcome in found if outcome.place == 1)
    for owner in dict.fromkeys(outcome.ask.owner for outcome in found):
        if not reached[owner]:
            message = f"{owner} comes first for none of its own asks"
            yield scope.error(owner, "asks", "unreachable", message, "give it asks and entities that set it apart")
    for outcome in found:
        if outcome.place != 1:
            message = f"{outcome.ask.text!r} finds {outcome.first or 'nothing'} first"
            yield scope.advice(
                outcome.ask.owner, "asks", "lost-ask", message, "reword it, or move it where it is answered"
            )


def close_asks(asks: tuple[Ask, ...], index: Index, same: Sameness, scope: Scope) -> Iterator[Problem]:
    """Pairs of asks that mean the same to the encoder: in one entry a waste, across two a collision."""
    vectors = index.vectors[[ask.rows[0] for ask in asks]]
    for start in range(0, len(asks), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        for i, j in zip(*np.nonzero(cosines > MAX_COSINE_WITHIN), strict=True):
            a, b = asks[start + i], asks[j]
            if start + i >= j:
                continue
            message = f"{a.text!r} and {b.text!r} are near (cosine {cosines[i, j]:.2f})"
            if a.owner == b.owner:
                yield scope.advice(a.owner, "asks", "close-asks", message, "replace one by another way of asking")
            elif cosines[i, j] > MAX_COSINE_ACROSS and not same(a.owner, b.owner):
                message += f", the second of {b.owner}"
                yield scope.advice(a.owner, "asks", "colliding-asks", message, "keep it where it is answered best")
