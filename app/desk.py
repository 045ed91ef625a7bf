"""The editors' desk: every act is allowed, logged, done and committed, in this order, or refused with its reason.

The page and its tests use this; the files are written by the same functions as by the command `knowledge`. Who acts is
asked anew for each act. Author and reviewer must differ as roles in the file, and as logins here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from app.audit import Audit
from app.editors import Person, Role
from app.feedback import Group
from knowledge.checks import check_entry
from knowledge.editing import require_signable, retract, save_draft, send_back, sign_entry
from knowledge.errors import GuideError, KnowledgeError, NotAllowedError, SignOffError
from knowledge.history import record
from knowledge.schema import Fact, Level, Problem, Source
from knowledge.signing import holds, needs_second_review, standing
from knowledge.store import KnowledgeBase, version_of, write_atomically
from knowledge.text import normal, tokens

AUTHOR, FIRST, SECOND = "editor", "source-check", "safety-check"  # the roles that stand in the files
LEVEL: Level = "source-checked"  # a page cannot know who is a clinician: that level is signed at the command line
T = TypeVar("T")


@dataclass(frozen=True)
class Done:
    """An act that was carried out: what to tell its actor."""

    message: str


class Desk:
    """Acts on the base in one folder."""

    def __init__(self, home: Path, audit: Audit, who: Callable[[], Person], now: Callable[[], datetime]) -> None:
        """Take the folder of the base, the log, the clock, and how to ask who is acting.

        Args:
            home: the folder of the base.
            audit: the log.
            who: raises `NotAllowedError` unless somebody on an allow-list is logged in at this moment.
            now: the clock.

        """
        self.home = home
        self._audit, self._who, self._now = audit, who, now

    def save(self, base: KnowledgeBase, draft: Fact, seen: str) -> Done:
        """Write a draft; problems may be left in it.

        Args:
            base: the base as the editor read it.
            draft: the fact; its author becomes the role of this page.
            seen: version of the file the editor started from, "" for a new fact.

        Raises:
            NotAllowedError: this login may not write.
            EditConflictError: somebody else changed the file first; the caller still has the draft.
            GuideError: any other reason; nothing was written.

        """
        draft = draft.model_copy(update={"author": AUTHOR})
        return self._saved("save", base, draft, seen)

    def submit(self, base: KnowledgeBase, draft: Fact, seen: str) -> Done:
        """Write a draft that is ready for review: refused while a check finds an error.

        Raises:
            SignOffError: an error is left.
            GuideError: see `save`.

        """
        self._allowed("editor", "save", f"fact:{draft.id}")
        draft = draft.model_copy(update={"author": AUTHOR})
        if errors := [p for p in self.check(base, draft) if p.severity == "error"]:
            raise SignOffError(f"not yet ready for review: {errors[0].message} → {errors[0].mend}")
        return self._saved("save", base, draft, seen)

    def check(self, base: KnowledgeBase, draft: Fact) -> tuple[Problem, ...]:
        """Return what the checks find in a draft, sign-offs aside."""
        waived = {"unsigned", "second-review", "own-review"}
        found = check_entry(base, f"fact:{draft.id}", draft, self._now().date())
        return tuple(problem for problem in found if problem.code not in waived)

    def _saved(self, act: str, base: KnowledgeBase, draft: Fact, seen: str) -> Done:
        key = f"fact:{draft.id}"
        person = self._allowed("editor", act, key)
        file = self._act(person, AUTHOR, act, key, lambda: save_draft(base, self.home, draft, seen))
        return Done(f"Saved {key}.{self._commit(file, AUTHOR, f'Draft {key}')}")

    def add_source(self, source: Source) -> Done:
        """Add a work to the bibliography.

        Raises:
            NotAllowedError: this login may not write.
            KnowledgeError: the id is taken, or the file cannot be extended.

        """
        key = f"source:{source.id}"
        person = self._allowed("editor", "add-source", key)
        file = self.home / "sources.yaml"
        row = source.model_dump(mode="json", exclude_none=True)

        def write() -> None:
            seen = version_of(file)
            text = file.read_text(encoding="utf-8")
            if source.id in {item["id"] for item in yaml.load(text, Loader=yaml.CSafeLoader)}:
                raise KnowledgeError(f"the source {source.id} exists: choose another id, or cite that one")
            added = yaml.safe_dump([row], sort_keys=False, allow_unicode=True, width=118)
            write_atomically(file, text.rstrip("\n") + "\n" + added, seen)

        self._act(person, AUTHOR, "add-source", key, write)
        return Done(f"Added {key}.{self._commit(file, AUTHOR, f'Add {key}')}")

    def sign(self, base: KnowledgeBase, key: str) -> Done:
        """Sign an entry as it stands in `base`: its first review, or its second where that is what it waits for.

        Raises:
            NotAllowedError: this login may not sign, wrote on this text, or made its first review.
            SignOffError: a check fails, or there is nothing to sign.
            EditConflictError: the entry on file is no longer what the reviewer read.

        """
        today = self._now().date()
        second = self._waits_for_second(base, key)
        act, by = ("sign-second", SECOND) if second else ("sign", FIRST)
        person = self._allowed("reviewer", act, key)
        who = self._pseudonym(person)
        if who in self._audit.authors(key):
            raise self._refused(person, act, key, "you wrote on this text: somebody else must review it")
        if second and who == self._audit.first_signer(key):
            raise self._refused(person, act, key, "you made the first review: somebody else must make the second")
        require_signable(base, key, by, LEVEL, today, second=second)

        def write() -> str:
            sign_entry(base, key, by, LEVEL, today, second=second)
            return "half-signed" if needs_second_review(dict(base.signable())[key]) and not second else "signed"

        state = self._act(person, by, act, key, write, note=str)
        committed = self._commit(base.places[key].file, by, f"Sign {key}")
        return Done(f"Signed {key}; it is {state} now.{committed}")

    def _waits_for_second(self, base: KnowledgeBase, key: str) -> bool:
        entry = dict(base.signable()).get(key)
        if entry is None or not needs_second_review(entry):
            return False
        return standing(entry, self._now().date()) == "half-signed" and holds(entry, entry.review)

    def send_back(self, base: KnowledgeBase, key: str, reason: str) -> Done:
        """Tell the author of a draft why it is not signed.

        Raises:
            NotAllowedError: this login may not review.
            SignOffError: there is no reason, or the entry is signed.

        """
        return self._judged(
            "send-back", base, key, "Send back", lambda: send_back(base, key, FIRST, reason, self._day())
        )

    def retract(self, base: KnowledgeBase, key: str, reason: str) -> Done:
        """Take an entry out of service at once.

        Raises:
            NotAllowedError: this login may not review.
            SignOffError: there is no reason, or the product needs the entry.

        """
        return self._judged("retract", base, key, "Retract", lambda: retract(base, key, FIRST, reason, self._day()))

    def _judged(self, act: str, base: KnowledgeBase, key: str, title: str, write: Callable[[], object]) -> Done:
        person = self._allowed("reviewer", act, key)
        links = self._act(person, FIRST, act, key, write)
        committed = self._commit(base.places[key].file, FIRST, f"{title} {key}")
        left = f" Still pointing at it: {'; '.join(links)}." if isinstance(links, tuple) and links else ""
        return Done(f"{title}: {key}.{committed}{left}")

    def _day(self) -> date:
        return self._now().date()

    def _allowed(self, role: Role, act: str, key: str) -> Person:
        """Return who acts, if they may; a refusal is logged."""
        try:
            person = self._who()
        except NotAllowedError:
            self._audit.append(act, key, role="none", who="none", outcome="refused")
            raise
        if role not in person.roles:
            raise self._refused(person, act, key, f"this needs the role {role}")
        return person

    def _refused(self, person: Person, act: str, key: str, reason: str) -> NotAllowedError:
        role = "+".join(sorted(person.roles))
        self._audit.append(act, key, role=role, who=self._pseudonym(person), outcome="refused")
        return NotAllowedError(reason)

    def _act(
        self,
        person: Person,
        role: str,
        act: str,
        key: str,
        write: Callable[[], T],
        note: Callable[[T], str] | None = None,
    ) -> T:
        """Log that the act begins, do it, log how it went. What cannot be logged is not done."""
        line = {"role": role, "who": self._pseudonym(person)}
        self._audit.append(act, key, **line, outcome="begun")
        try:
            result = write()
        except (GuideError, OSError, ValueError) as error:
            self._audit.append(act, key, **line, outcome="failed", note=type(error).__name__)
            if isinstance(error, GuideError):
                raise
            raise KnowledgeError(f"{key} was not written: {error}") from error
        self._audit.append(act, key, **line, outcome="done", note=note(result) if note else "")
        return result

    def _pseudonym(self, person: Person) -> str:
        return self._audit.pseudonym(person.issuer, person.subject)

    def _commit(self, file: Path, role: str, message: str) -> str:
        try:
            return " Committed to git." if record(self.home, (file,), role, message) else ""
        except (KnowledgeError, OSError) as error:
            return f" Not committed to git: {error}."


def parse(fields: Mapping[str, Any]) -> tuple[Fact | None, tuple[str, ...]]:
    """Return the fact that a form describes, or None and what is wrong with the form, in words for its editor."""
    try:
        return Fact.model_validate(fields), ()
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return None, tuple(faults)


def cited(text: str) -> tuple[dict[str, str], ...]:
    """Return the sources of a form: one a line, written "source-id | place in it | what it supports"."""
    rows = (tuple(map(str.strip, line.split("|", 2))) for line in text.splitlines() if line.strip())
    return tuple(dict(zip(("id", "locator", "supports"), row, strict=False)) for row in rows)


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a form's field that hold something, each once, in order."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def needs(text: str) -> tuple[tuple[str, ...], ...]:
    """Return groups of entities: one group a line, its members with commas between."""
    return tuple(tuple(filter(None, map(str.strip, line.split(",")))) for line in lines(text))


def started(group: Group, base: KnowledgeBase) -> dict[str, Any]:
    """Return the fields of a draft that answers a group of visitors' questions: its title, asks and entities."""
    first = group.asks[0]
    words = tokens(normal(first))
    found = dict.fromkeys(m.entity for ask in group.asks for m in base.lexicon.find(tokens(normal(ask))))
    name = "-".join(word for word in words if word.isascii() and word.isalnum())[:60].strip("-")
    return {"id": name, "question": first[:1].upper() + first[1:119], "asks": group.asks, "entities": tuple(found)}
