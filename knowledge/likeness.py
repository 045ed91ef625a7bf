"""Entries beside each other → problems: the same question twice."""

from collections.abc import Iterator

from knowledge.schema import Fact, KnownError, Problem
from knowledge.scope import Scope


def repeated_asks(scope: Scope) -> Iterator[Problem]:
    """No two entries claim the same question, in canonical words."""
    order = {key: i for i, key in enumerate(scope.entries)}
    for key, entry in scope.entries.items():
        if not isinstance(entry, Fact | KnownError):
            continue
        for i, ask in enumerate(entry.asks):
            askers = scope.base.askers.get(scope.base.lexicon.canonical(ask), ())
            # Of two entries that are both judged, the later one hears of it.
            if others := [other for other in askers if order.get(other, -1) < order[key]]:
                message = f"{ask!r} is also an ask of {', '.join(others)}"
                yield scope.error(key, f"asks.{i}", "repeated-ask", message, "keep it where it is answered best")
