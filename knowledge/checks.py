"""Knowledge base → problems: every rule an editor can break, each a small function, all reported at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import chain

from knowledge.likeness import repeated_asks
from knowledge.schema import Fact, KnownError, Problem
from knowledge.scope import Scope
from knowledge.signing import holds, needs_second_review, standing
from knowledge.store import Entry, KnowledgeBase
from knowledge.wording import (
    careful_words,
    finished,
    food_rule,
    kind_words,
    no_instructions,
    no_known_error,
    plain_words,
    short_sentences,
)

MIN_ASKS_FACT, MIN_ASKS_ERROR, MIN_EXAMPLES = 10, 12, 6
DUE_SOON = timedelta(days=60)

Check = Callable[[Scope], Iterator[Problem]]


def check(base: KnowledgeBase, today: date, loading: Iterable[Problem] = ()) -> tuple[Problem, ...]:
    """Return all problems of `base` on `today`, those found while loading included, in file order."""
    scope = Scope(base, today, dict(base.signable()))
    found = chain(loading, *(rule(scope) for rule in (*ENTRY_CHECKS, *BASE_CHECKS)))
    return tuple(sorted(found, key=lambda p: (str(p.file), p.line, p.code)))


def check_entry(base: KnowledgeBase, key: str, entry: Entry, today: date) -> tuple[Problem, ...]:
    """Return the problems of one entry, on file or not yet, as a part of `base`; errors first."""
    scope = Scope(base, today, {key: entry})
    found = chain.from_iterable(rule(scope) for rule in ENTRY_CHECKS)
    return tuple(sorted(found, key=lambda p: (p.severity != "error", p.line, p.code)))


def known_ids(scope: Scope) -> Iterator[Problem]:
    """Every id that an entry refers to exists and is not retracted."""
    for key, entry in scope.entries.items():
        if isinstance(entry, (Fact, KnownError)):
            for path, name, kind, known in _references(entry, scope.base):
                if f"{kind}:{name}" in scope.base.retracted:
                    message = f"{path} names {name!r}, which is retracted"
                    yield scope.advice(key, path, "retracted-link", message, "name another entry, or take it out")
                elif name not in known and f"{kind}:{name}" != key:
                    message = f"{path} names {name!r}, which no file has"
                    yield scope.error(key, path, "unknown-id", message, "mend the id")
        for i, citation in enumerate(getattr(entry, "sources", ())):
            if citation.id not in scope.base.sources:
                message = f"the source {citation.id!r} is not in sources.yaml"
                yield scope.error(key, f"sources.{i}", "unknown-source", message, "add it there or mend the id")


def _references(entry: Fact | KnownError, base: KnowledgeBase) -> Iterator[tuple[str, str, str, Mapping[str, object]]]:
    """Yield field, id, kind of what the id names, and everything of that kind."""
    yield from (("entities", e, "entity", base.entities) for e in entry.entities)
    yield from (("needs", e, "entity", base.entities) for group in entry.needs for e in group)
    if isinstance(entry, Fact):
        yield from (("related", r, "fact", base.facts) for r in entry.related)
        yield from (("corrects", c, "error", base.known_errors) for c in entry.corrects)
    else:
        yield from (("facts", f, "fact", base.facts) for f in entry.facts)


def sign_offs(scope: Scope) -> Iterator[Problem]:
    """Every entry is signed, by another role than its author, and its review is not overdue."""
    for key, entry in scope.entries.items():
        state = standing(entry, scope.today)
        if entry.review and entry.review.by == entry.author:
            message = f"{entry.author} wrote and signed it"
            yield scope.error(key, "review", "own-review", message, "let another role sign")
        elif state == "draft":
            why = "changed after it was signed" if entry.review else "not signed"
            if entry.sent_back:
                why += f"; {entry.sent_back.by} sent it back: {entry.sent_back.reason}"
            yield scope.error(key, "review", "unsigned", f"{key} is {why}", "review it, then `knowledge sign`")
        elif state == "half-signed":
            message = f"{key} is high-risk and needs a second reviewer"
            yield scope.error(key, "second_review", "second-review", message, "let a third role sign with --second")
        elif state in ("overdue", "withheld") and entry.review:
            message = f"the review of {key} was due on {entry.review.due}"
            maker = scope.advice if state == "overdue" else scope.error
            yield maker(key, "review", "overdue", message, "review it again")
        elif entry.review and entry.review.due - scope.today <= DUE_SOON:
            yield scope.advice(key, "review", "due-soon", f"due on {entry.review.due}", "plan the next review")


def enough_asks(scope: Scope) -> Iterator[Problem]:
    """Facts have ten asks or more, known errors twelve and six examples on each side."""
    for key, fact in scope.facts:
        if len(fact.asks) < MIN_ASKS_FACT:
            message = f"{len(fact.asks)} asks, {MIN_ASKS_FACT} needed"
            yield scope.error(key, "asks", "few-asks", message, "add phrasings people really type")
    for key, error in scope.errors:
        wanted = (("asks", MIN_ASKS_ERROR), ("assertions", MIN_EXAMPLES), ("lookalikes", MIN_EXAMPLES))
        for field, least in wanted:
            if len(getattr(error, field)) < least:
                message = f"{len(getattr(error, field))} {field}, {least} needed"
                yield scope.error(key, field, "few-asks", message, "add more")


def broader_entities(scope: Scope) -> Iterator[Problem]:
    """Every broader entity of an entity exists."""
    for entity in scope.base.entities.values():
        for broader in entity.broader:
            if broader not in scope.base.entities:
                message = f"no entity {broader!r}"
                yield scope.error(f"entity:{entity.id}", "broader", "unknown-id", message, "mend the id")


def sources_used(scope: Scope) -> Iterator[Problem]:
    """Every source is cited somewhere, if only by a text that is retracted."""
    entries = (*scope.entries.values(), *scope.base.retracted.values())
    cited = {citation.id for entry in entries for citation in getattr(entry, "sources", ())}
    for source in scope.base.sources.values():
        if source.id not in cited:
            message = f"nobody cites {source.id}"
            yield scope.error(f"source:{source.id}", "id", "unused-source", message, "cite or remove it")


def claim_homes(scope: Scope) -> Iterator[Problem]:
    """Every audited claim has a home that exists; a wrong claim's home is a known error."""
    base = scope.base
    for audit in base.audits.values():
        for i, row in enumerate(audit.claims):
            key, path = f"audit:{audit.article}", f"claims.{i}"
            homes = [("fact", n, base.facts) for n in row.facts] + [("error", n, base.known_errors) for n in row.errors]
            for kind, name, known in homes:
                if f"{kind}:{name}" in base.retracted:
                    message = f"{row.id}: {name!r} is retracted"
                    yield scope.advice(key, path, "retracted-link", message, "name another home")
                elif name not in known:
                    yield scope.error(key, path, "unknown-id", f"{row.id}: no {name!r}", "mend the id")
            if not (row.facts or row.errors or row.none):
                yield scope.error(key, path, "homeless", f"{row.id} has no home", "name a fact or known error")
            if row.verdict in ("false", "unsupported") and not (row.errors or row.none):
                message = f"{row.id} is {row.verdict} and has no known error"
                yield scope.advice(key, path, "no-error", message, "name the known error it belongs to")


# What can be said of one entry alone, or beside the rest of the base.
ENTRY_CHECKS: tuple[Check, ...] = (
    known_ids,
    sign_offs,
    enough_asks,
    repeated_asks,
    finished,
    kind_words,
    no_instructions,
    food_rule,
    short_sentences,
    plain_words,
    careful_words,
    no_known_error,
)
# What can only be said of all entries together.
BASE_CHECKS: tuple[Check, ...] = (broader_entities, sources_used, claim_homes)


def signed_counts(base: KnowledgeBase, today: date) -> dict[str, int]:
    """Return how many entries of each standing there are, and how many carry the second review they need."""
    counts: dict[str, int] = defaultdict(int)
    for _, entry in base.signable():
        counts[standing(entry, today)] += 1
        counts["twice reviewed"] += needs_second_review(entry) and holds(entry, entry.second_review)
    return dict(counts)
