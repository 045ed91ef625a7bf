"""An entry's past, from git: what it said at each commit, when it was last signed, and what changed in between."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

from knowledge.errors import KnowledgeError
from knowledge.schema import RECORDS, Citation
from knowledge.signing import holds
from knowledge.store import Entry, Place, entry_in
from knowledge.text import sentences

_PROSE = ("question", "claim", "answer", "detail", "correction", "why_wrong", "text", "hours")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Version:
    """What an entry was at one commit.

    Attributes:
        revision: the commit's hash.
        on: when it was made.
        by: the author of the commit; a role, where the editors' page made it.
        subject: the first line of its message.
        entry: the entry as it stood in the file.

    """

    revision: str
    on: datetime
    by: str
    subject: str
    entry: Entry


@dataclass(frozen=True)
class Change:
    """One sentence, ask, source or other value of an entry: in both versions, only before ("-"), or only after."""

    field: str
    mark: Literal[" ", "-", "+"]
    text: str


def versions(place: Place, key: str) -> Iterator[Version]:
    """Yield the committed versions of an entry, newest first; none where its file is not in a git checkout.

    Commits that did not change this entry, and files that today's rules cannot read, are left out.
    """
    found: Version | None = None
    for header, path in _log(place.file):
        revision, on, by, subject = header.split("\0")
        try:
            entry = entry_in(_git(place.file.parent, "show", f"{revision}:{path}"), key)
        except ValueError:
            continue
        version = Version(revision, datetime.fromisoformat(on), by, subject, entry)
        if found and found.entry != entry:
            yield found
        found = version  # of equal versions the oldest is the one that made the change
    if found:
        yield found


def last_signed(place: Place, key: str) -> Version | None:
    """Return the newest committed version of an entry whose sign-off holds, if there is one."""
    return next((version for version in versions(place, key) if holds(version.entry, version.entry.review)), None)


def changes(before: Entry | None, after: Entry) -> tuple[Change, ...]:
    """Return what a reader of both versions would mark: prose sentence by sentence, then asks, sources and the rest."""
    found: list[Change] = []
    for field in type(after).model_fields:
        if field not in RECORDS:
            old, new = _parts(before, field), _parts(after, field)
            for operation, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
                if operation == "equal":
                    found += [Change(field, " ", text) for text in old[a:b]] if field in _PROSE else []
                else:
                    found += [Change(field, "-", text) for text in old[a:b]]
                    found += [Change(field, "+", text) for text in new[c:d]]
    return tuple(sorted(found, key=lambda change: change.field not in _PROSE))


def record(home: Path, files: tuple[Path, ...], role: str, message: str) -> bool:
    """Commit `files` in the name of a role; return whether there was anything to commit.

    Returns False where `home` is not in a git checkout: the files are written, and git has no part in it.

    Raises:
        KnowledgeError: git refused; the files are written all the same.

    """
    if not _git(home, "rev-parse", "--show-toplevel"):
        return False
    names = [str(file.resolve()) for file in files]
    identity = ("-c", f"user.name={role}", "-c", f"user.email={role}@localhost", "-c", "commit.gpgsign=false")
    _git(home, "add", "--", *names)
    if not _git(home, "status", "--porcelain", "--", *names):
        return False
    if not _git(home, *identity, "commit", "-m", message, "--", *names):
        raise KnowledgeError("the change is on file, but git did not commit it: run `git status` in that folder")
    return True


def _parts(entry: Entry | None, field: str) -> list[str]:
    value = getattr(entry, field, None)
    if value is None or value == ():
        return []
    if isinstance(value, str):
        return list(sentences(value)) if field in _PROSE else [value]
    if isinstance(value, tuple):
        return [_words(item) for item in value]
    return [str(value)]


def _words(item: object) -> str:
    if isinstance(item, Citation):
        return f"{item.id} ({item.locator}): {item.supports}"
    return ", ".join(map(str, item)) if isinstance(item, tuple) else str(item)


def _log(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (hash, date, author and subject joined by null bytes, the file's path then), newest first, over renames."""
    fields = "%x01%H%x00%aI%x00%an%x00%s"
    log = _git(
        file.parent,
        "-c",
        "core.quotePath=false",
        "log",
        "--follow",
        f"--format={fields}",
        "--name-only",
        "--",
        file.name,
    )
    for commit in log.split("\1")[1:]:
        header, _, path = commit.strip().partition("\n")
        yield header, path.strip()


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints, "" if it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
