"""Sign-offs: what exactly was signed, by which role, until when, and so what may be shown today."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, TypeVar

from knowledge.errors import SignOffError
from knowledge.lexicon import Lexicon
from knowledge.schema import (
    LEVELS,
    RECORDS,
    Country,
    Fact,
    HelpLine,
    KnownError,
    Level,
    Notice,
    PhraseBook,
    Review,
    Reviewed,
    Source,
)
from knowledge.store import KnowledgeBase

GRACE = timedelta(
    days=90
)  # an overdue text is shown, with a warning to the editors, for this long; then it is withheld
Standing = Literal["draft", "half-signed", "signed", "overdue", "withheld", "retracted"]
R = TypeVar("R", bound=Reviewed)


def digest(entry: Reviewed, by: str, level: str, on: date, due: date) -> str:
    """Return the sha256 of everything the entry says plus who signed it, how, and until when.

    The canonical form is JSON with sorted keys and no spaces, so layout and line breaks of the YAML do not count, and
    one changed character of content does.
    """
    content = entry.model_dump(mode="json", exclude=set(RECORDS))
    signed = {"kind": type(entry).__name__, "content": content, "review": [by, level, str(on), str(due)]}
    canonical = json.dumps(signed, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def sign(entry: Reviewed, by: str, level: Level, on: date, due: date) -> Review:
    """Return the sign-off of `entry` by the role `by`.

    Raises:
        SignOffError: the author cannot review, nor the same role twice; or the review is due before it was made.

    """
    if by == entry.author:
        raise SignOffError(f"{by} wrote this text and cannot also sign it: ask another role to review it")
    if due <= on:
        raise SignOffError(f"the next review ({due}) must be later than this one ({on})")
    return Review(by=by, level=level, on=on, due=due, digest=digest(entry, by, level, on, due))


def holds(entry: Reviewed, review: Review | None) -> bool:
    """Return whether `review` is by another role than the author and its digest still matches the content.

    No sign-off holds for a retracted text.
    """
    if review is None or review.by == entry.author or entry.retracted:
        return False
    return review.digest == digest(entry, review.by, review.level, review.on, review.due)


def needs_second_review(entry: Reviewed) -> bool:
    """Return whether two roles must sign: text on medicines, withdrawal, pregnancy, interactions and overdose."""
    return (isinstance(entry, Fact) and entry.risk == "high") or (
        isinstance(entry, KnownError) and entry.harm == "high"
    )


def standing(entry: Reviewed, today: date) -> Standing:
    """Return where the entry stands on `today`; only "signed" and "overdue" may be shown."""
    first, second = entry.review, entry.second_review
    if entry.retracted:
        return "retracted"
    if first is None or not holds(entry, first):
        return "draft"
    due = first.due
    if needs_second_review(entry):
        if second is None or not holds(entry, second) or second.by == first.by:
            return "half-signed"
        due = min(due, second.due)
    if today > due + GRACE:
        return "withheld"
    return "overdue" if today > due else "signed"


def reaches(entry: Reviewed, level: Level) -> bool:
    """Return whether every review that a signed entry needs was made at `level` or above."""
    reviews = (entry.review, entry.second_review) if needs_second_review(entry) else (entry.review,)
    return all(review is not None and LEVELS.index(review.level) >= LEVELS.index(level) for review in reviews)


@dataclass(frozen=True)
class Vetted:
    """What may be shown today, and nothing else.

    Attributes:
        facts, known_errors, notices: signed entries by id.
        countries: countries by code, each with its signed help lines only.
        sources: the bibliography.
        lexicon: how visitors' words are understood.
        phrases: what the gates listen for, by book.

    """

    facts: Mapping[str, Fact]
    known_errors: Mapping[str, KnownError]
    notices: Mapping[str, Notice]
    countries: Mapping[str, Country]
    sources: Mapping[str, Source]
    lexicon: Lexicon
    phrases: Mapping[str, PhraseBook]

    @cached_property
    def help_lines(self) -> Mapping[str, HelpLine]:
        """Help lines of all countries by id."""
        return {line.id: line for country in self.countries.values() for line in country.lines}

    @cached_property
    def digest(self) -> str:
        """Fingerprint of everything that may be shown: changes when, and only when, a signed text does."""
        groups = (self.facts, self.known_errors, self.notices, self.help_lines)
        signed = sorted(entry.review.digest for group in groups for entry in group.values() if entry.review)
        entities = [self.lexicon.entities[k].model_dump_json() for k in sorted(self.lexicon.entities)]
        return hashlib.sha256("\n".join([*signed, *entities]).encode()).hexdigest()


def vet(base: KnowledgeBase, today: date, level: Level = "source-checked") -> Vetted:
    """Return the part of `base` that may be shown on `today` by a deployment that serves nothing below `level`."""

    def showable(entries: Mapping[str, R]) -> dict[str, R]:
        return {key: entry for key, entry in entries.items() if _showable(entry, today, level)}

    countries = {}
    for code, country in base.countries.items():
        lines = tuple(line for line in country.lines if _showable(line, today, level))
        if lines:
            countries[code] = country.model_copy(update={"lines": lines})
    return Vetted(
        facts=showable(base.facts),
        known_errors=showable(base.known_errors),
        notices=showable(base.notices),
        countries=countries,
        sources=base.sources,
        lexicon=base.lexicon,
        phrases=showable(base.phrases),
    )


def _showable(entry: Reviewed, today: date, level: Level) -> bool:
    return standing(entry, today) in ("signed", "overdue") and reaches(entry, level)
