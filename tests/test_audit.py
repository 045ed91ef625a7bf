"""The log of editors' acts: only ever longer, and it shows when somebody changed it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.audit import Audit
from knowledge.errors import AuditError
from tests.conftest import ROOT

KEY = "fact:a-b"


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """An empty log with a clock that stands still."""
    return Audit(tmp_path / "data", lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))


def act(audit: Audit, name: str, who: str, outcome: str = "done", note: str = "") -> None:
    """Log an act that was carried out, or how it ended."""
    audit.append(name, KEY, role="r", who=who, outcome="begun")
    audit.append(name, KEY, role="r", who=who, outcome=outcome, note=note)  # type: ignore[arg-type]


def test_a_line_says_who_did_what(audit: Audit) -> None:
    """One JSON object, with the time in UTC."""
    audit.append("save", KEY, role="editor", who="abc", outcome="done")
    (row,) = audit.rows()
    assert {name: row[name] for name in ("at", "act", "key", "role", "who", "outcome")} == {
        "at": "2026-11-21T12:00:00+00:00",
        "act": "save",
        "key": KEY,
        "role": "editor",
        "who": "abc",
        "outcome": "done",
    }


def test_a_pseudonym_is_stable_and_only_this_deployment_can_compute_it(audit: Audit, tmp_path: Path) -> None:
    """The same login has the same name here and another one elsewhere; nobody reads the login out of it."""
    name = audit.pseudonym("https://issuer", "ada@example.org")
    assert name == Audit(tmp_path / "data").pseudonym("https://issuer", "ada@example.org")
    assert name != audit.pseudonym("https://issuer", "bob@example.org")
    assert name != Audit(tmp_path / "elsewhere").pseudonym("https://issuer", "ada@example.org")
    assert len(name) == 16


def test_the_log_and_its_key_are_private(audit: Audit, tmp_path: Path) -> None:
    """Nobody else on the machine reads them."""
    audit.pseudonym("i", "s")
    assert {file.name: file.stat().st_mode & 0o077 for file in (tmp_path / "data").iterdir()} == {
        "audit.jsonl": 0,
        "audit.key": 0,
    }


@pytest.mark.parametrize("change", ["edited", "removed", "inserted", "swapped"])
def test_a_log_that_somebody_changed_shows_where(audit: Audit, change: str) -> None:
    """Each line carries the hash of the one before it."""
    for who in "abcd":
        audit.append("save", KEY, role="editor", who=who, outcome="done")
    assert audit.broken_at() is None
    lines = audit.file.read_text().splitlines(keepends=True)
    changed = {
        "edited": [lines[0], lines[1].replace('"b"', '"x"'), *lines[2:]],
        "removed": [lines[0], *lines[2:]],
        "inserted": [*lines[:2], lines[1], *lines[2:]],
        "swapped": [lines[1], lines[0], *lines[2:]],
    }[change]
    audit.file.write_text("".join(changed))
    assert audit.broken_at() in (1, 2, 3)


def test_a_crash_in_the_middle_of_a_line_costs_that_line_only(audit: Audit) -> None:
    """The next line begins on its own, and the break shows."""
    audit.append("save", KEY, role="editor", who="a", outcome="done")
    with audit.file.open("a") as log:
        log.write('{"at": "2026')
    audit.append("save", KEY, role="editor", who="b", outcome="done")
    assert [row["who"] for row in audit.rows()] == ["a", "b"]
    assert audit.broken_at() == 2


def test_several_processes_write_whole_lines_in_one_chain(tmp_path: Path) -> None:
    """Four writers at once: nothing is lost and nothing is mixed."""
    code = (
        "import sys; from pathlib import Path; from app.audit import Audit\n"
        "for n in range(25):\n"
        "    Audit(Path(sys.argv[1])).append('save', 'fact:x', role='r', who=sys.argv[2], outcome='done')"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(n)], cwd=ROOT) for n in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    audit = Audit(tmp_path)
    assert len(list(audit.rows())) == 100
    assert audit.broken_at() is None


def test_whoever_wrote_on_the_text_is_an_author_until_it_is_fully_signed(audit: Audit) -> None:
    """A second review does not forget the author; a change after the sign-off starts anew."""
    act(audit, "save", "ann")
    act(audit, "save", "bob")
    assert audit.authors(KEY) == {"ann", "bob"}
    act(audit, "sign", "cay", note="half-signed")
    assert audit.authors(KEY) == {"ann", "bob"}
    act(audit, "sign-second", "dan", note="signed")
    act(audit, "save", "eve")
    assert audit.authors(KEY) == {"eve"}
    assert audit.first_signer(KEY) == "cay"
    assert audit.authors("fact:other") == frozenset()


def test_an_act_that_failed_makes_nobody_an_author_and_one_that_was_cut_off_does(audit: Audit) -> None:
    """When in doubt whether somebody wrote, they did."""
    act(audit, "save", "ann", outcome="failed")
    assert audit.authors(KEY) == frozenset()
    audit.append("save", KEY, role="editor", who="bob", outcome="begun")
    assert audit.authors(KEY) == {"bob"}


def test_a_log_that_cannot_be_written_stops_the_act(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(AuditError, match=r"audit\.jsonl"):
        Audit(tmp_path / "data").append("save", KEY, role="editor", who="a", outcome="begun")


def test_hostile_keys_stay_one_line(audit: Audit) -> None:
    """Line breaks and quotes are data."""
    audit.append("save", 'fact:x\n{"at": 1}' + "y" * 500, role="editor", who="a", outcome="refused")
    (line,) = audit.file.read_text().splitlines()
    assert len(json.loads(line)["key"]) == 100
