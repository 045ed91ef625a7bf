"""What a check sees: the base, the day, and the entries to be judged; and how it says what is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from knowledge.schema import Fact, KnownError, Notice, Problem
from knowledge.store import HOME, Entry, KnowledgeBase


@dataclass(frozen=True)
class Text:
    """One field of an entry that a visitor reads: where it stands, and its words."""

    key: str
    field: str
    text: str


@dataclass(frozen=True)
class Scope:
    """A base, and those of its entries (or drafts for it) that are judged.

    Attributes:
        base: everything an entry may refer to or collide with.
        today: the day that reviews are held against.
        entries: "fact:<id>" … → the entries to be judged; the whole base, or one draft.

    """

    base: KnowledgeBase
    today: date
    entries: Mapping[str, Entry]

    @property
    def facts(self) -> tuple[tuple[str, Fact], ...]:
        """The facts to be judged, with their keys."""
        return tuple((key, entry) for key, entry in self.entries.items() if isinstance(entry, Fact))

    @property
    def errors(self) -> tuple[tuple[str, KnownError], ...]:
        """The known errors to be judged, with their keys."""
        return tuple((key, entry) for key, entry in self.entries.items() if isinstance(entry, KnownError))

    def texts(self) -> Iterator[Text]:
        """Yield every English text that a visitor can read as part of a reply, help lines aside."""
        for key, entry in self.entries.items():
            if isinstance(entry, Fact):
                fields: tuple[str, ...] = ("answer", "detail")
            elif isinstance(entry, KnownError):
                fields = ("correction", "why_wrong")
            else:
                fields = ("text",) if isinstance(entry, Notice) and entry.lang == "en" else ()
            yield from (Text(key, field, text) for field in fields if (text := getattr(entry, field)))

    def error(self, key: str, path: str, code: str, message: str, mend: str) -> Problem:
        """Return a problem that stops a release."""
        return self._problem("error", key, path, code, message, mend)

    def advice(self, key: str, path: str, code: str, message: str, mend: str) -> Problem:
        """Return a problem that an editor should look at."""
        return self._problem("advice", key, path, code, message, mend)

    def _problem(
        self, severity: Literal["error", "advice"], key: str, path: str, code: str, message: str, mend: str
    ) -> Problem:
        place = self.base.places.get(key)
        file, line = (place.file, place.line(path)) if place else (HOME, 1)
        return Problem(code=code, severity=severity, file=file, line=line, message=message, mend=mend)
