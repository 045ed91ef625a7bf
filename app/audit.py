"""Who did what to the base: an append-only log of roles, pseudonyms and acts, and never of a visitor's words.

One JSON object a line. Each line carries the hash of the line before it, so a line that was changed, taken out or put
in later shows (`broken_at`). A person stands in it as a pseudonym that only this deployment can compute.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from knowledge.errors import AuditError

Outcome = Literal["begun", "done", "refused", "failed"]
_START = "0" * 64
_FIELDS = {"at", "act", "key", "role", "who", "outcome", "note"}
_SIGNING = ("sign", "sign-second")


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Audit:
    """The log in one folder. Several processes may write to it; each line is on disk before the next act begins."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now) -> None:
        """Take the folder, which is made on first use, and the clock."""
        self.file = folder / "audit.jsonl"
        self._key_file = folder / "audit.key"
        self._now = now

    def pseudonym(self, issuer: str, subject: str) -> str:
        """Return a stable name for a login that says nothing about the person: 16 letters and digits.

        Raises:
            AuditError: the folder cannot be read or written.

        """
        return hmac.new(self._key(), f"{issuer}\n{subject}".encode(), hashlib.sha256).hexdigest()[:16]

    def append(self, act: str, key: str, *, role: str, who: str, outcome: Outcome, note: str = "") -> None:
        """Write one line and wait until it is on disk.

        Args:
            act: "save", "sign", "retract" and so on.
            key: the entry, "fact:<id>"; cut to a length that any true key has.
            role: the actor's role.
            who: the actor's pseudonym.
            outcome: "begun" before a file changes, then "done" or "failed"; "refused" if nothing was begun.
            note: for what went before, such as the standing after a sign-off; never words that somebody typed.

        Raises:
            AuditError: the line could not be written; the act must not go on.

        """
        row = {"act": act, "key": key[:100], "role": role, "who": who, "outcome": outcome, "note": note}
        try:
            with self._locked() as log:
                at = self._now().isoformat(timespec="seconds")
                line = json.dumps({"at": at, **row, "before": _hash(_last(log))}, ensure_ascii=True) + "\n"
                log.seek(0, os.SEEK_END)
                log.write(line.encode())
                log.flush()
                os.fsync(log.fileno())
        except OSError as error:
            raise AuditError(f"the audit log {self.file} cannot be written ({error}): mend it first") from error

    def rows(self) -> Iterator[Mapping[str, str]]:
        """Yield every line, oldest first; a line that is no JSON (a crash in the middle of it) is passed over.

        Raises:
            AuditError: the log cannot be read.

        """
        for line in self._lines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and row.keys() >= _FIELDS:
                yield {name: str(value) for name, value in row.items()}

    def authors(self, key: str) -> frozenset[str]:
        """Return the pseudonyms of all who wrote on the wording that stands: since it was last fully signed."""
        found: set[str] = set()
        finished = False
        for row in self._acts(key):
            if row["act"] == "save" and row["outcome"] == "begun":
                found = {row["who"]} if finished else found | {row["who"]}
                finished = False
            if row["act"] in _SIGNING and row["outcome"] == "done":
                finished = row["note"] == "signed"
        return frozenset(found)

    def first_signer(self, key: str) -> str | None:
        """Return the pseudonym of whoever made the latest first review."""
        return next((row["who"] for row in reversed(self._acts(key)) if row["act"] == "sign"), None)

    def _acts(self, key: str) -> list[Mapping[str, str]]:
        """Return the lines on an entry, without acts that failed. One that was cut off counts: it may have happened."""
        found: list[Mapping[str, str]] = []
        for row in self.rows():
            if row.get("key") == key and row["outcome"] == "failed":
                mine = (row["act"], row["who"], "begun")
                same = [i for i, old in enumerate(found) if (old["act"], old["who"], old["outcome"]) == mine]
                if same:
                    found.pop(same[-1])
            elif row.get("key") == key and row["outcome"] != "refused":
                found.append(row)
        return found

    def broken_at(self) -> int | None:
        """Return the number of the first line that does not follow from the one before it, or None."""
        before = b""
        for number, line in enumerate(self._lines(), start=1):
            try:
                follows = json.loads(line)["before"] == _hash(before)
            except (ValueError, KeyError, TypeError):
                follows = False
            if not follows:
                return number
            before = line
        return None

    def _lines(self) -> list[bytes]:
        try:
            return self.file.read_bytes().splitlines(keepends=True) if self.file.exists() else []
        except OSError as error:
            raise AuditError(f"the audit log {self.file} cannot be read ({error}): mend it first") from error

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            yield log

    def _key(self) -> bytes:
        """Return this deployment's secret, made once. Without it nobody can turn a login into its pseudonym."""
        try:
            with self._locked():
                if not self._key_file.exists():
                    descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(secrets.token_bytes(32))
                        file.flush()
                        os.fsync(file.fileno())
                return self._key_file.read_bytes()
        except OSError as error:
            raise AuditError(f"the folder {self.file.parent} cannot be used ({error}): set DATA_DIR") from error


def _last(log: IO[bytes]) -> bytes:
    """Return the last line of the log; the pieces of a crash are closed with a line break first."""
    log.seek(0)
    lines = log.read().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        log.seek(0, os.SEEK_END)
        log.write(b"\n")
        lines[-1] += b"\n"
    return lines[-1] if lines else b""


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line else _START
