"""Files → knowledge base: a broken file is a problem with file and line, and never stops the others."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from knowledge.errors import EditConflictError
from knowledge.store import Place, load, version_of, write_atomically
from knowledge.strict_yaml import MAX_FILE_BYTES
from tests import fakes
from tests.conftest import ROOT

GOOD = len((fakes.LSD, fakes.COCAINE, fakes.NALOXONE))


def contents(home: Path) -> dict[Path, bytes]:
    """Return every file with its bytes."""
    return {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}


def test_the_tiny_base_loads_without_a_problem(home: Path) -> None:
    """Everything written is read, and every signable entry has a place."""
    base, problems = load(home)
    assert problems == ()
    assert len(base.facts) == GOOD
    assert {key for key, _ in base.signable()} <= set(base.places)


# (what is done to the LSD fact's text, code of the problem, line it is reported on)
BROKEN = {
    "duplicate key": (lambda t: t.replace(b"\nrisk: low", b"\nrisk: low\nrisk: high"), "yaml", "risk: high"),
    "tab": (lambda t: t.replace(b"\nrisk: low", b"\n\trisk: low"), "yaml", "risk: low"),
    "wrong date": (lambda t: t.replace(b"2099-01-01", b"2099-13-01"), "schema", "due:"),
    "unknown key": (lambda t: t.replace(b"\nrisk: low", b"\nrisk: low\nmood: good"), "schema", "mood:"),
    "missing key": (lambda t: t.replace(b"\nrisk: low", b""), "schema", "id:"),
    "markup": (lambda t: t.replace(b"does not block them", b"does <b>not</b> block them"), "schema", "answer:"),
    "path in an id": (lambda t: t.replace(b"id: lsd-turns", b"id: ../lsd-turns", 1), "schema", "id:"),
    "no date at all": (lambda t: t.replace(b"'2099-01-01'", b"2099-13-01"), "yaml", "due:"),
    "10 MB string": (lambda t: t + b"# " + b"x" * 10_000_000, "unreadable", "id:"),
    "invalid UTF-8": (lambda t: t + b"# \xff\xfe\n", "unreadable", "# \ufffd\ufffd"),
    "null byte": (lambda t: t + b"mood: \x00\n", "unreadable", "mood: \x00"),
    "a second document": (lambda t: t + b"---\nmood: good\n", "yaml", "mood: good"),
    "a list as a key": (lambda t: t + b"? [a]\n: good\n", "yaml", "? [a]"),
    "an open bracket": (lambda t: t.replace(b"\nrisk: low", b"\nrisk: [low"), "yaml", "related:"),
    "empty": (lambda _: b"", "unreadable", ""),
    "a list": (lambda _: b"- one\n- two\n", "schema", "- one"),
    "code": (lambda _: b"!!python/object/apply:os.system ['true']\n", "schema", "!!python"),
    "alias bomb": (
        lambda _: b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (c, c, c - 1, c - 1) for c in range(98, 122)),
        "yaml",
        "b: &b [*a",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_problem_with_file_and_line(home: Path, name: str) -> None:
    """The problem names the file and the line, the other facts still load, and nothing is written."""
    break_it, code, at = BROKEN[name]
    file = fakes.fact_file(home)
    file.write_bytes(break_it(file.read_bytes()))
    before = contents(home)
    base, problems = load(home)
    assert [(p.code, p.file) for p in problems][:1] == [(code, file)]
    lines = file.read_bytes().decode("utf-8", "replace").splitlines() or [""]
    assert at in lines[problems[0].line - 1]
    assert fakes.LSD["id"] not in base.facts
    assert len(base.facts) == GOOD - 1
    assert contents(home) == before


@pytest.mark.parametrize("depth", [3_000, 100_000])
def test_a_deeply_nested_file_is_a_problem_too(home: Path, depth: int) -> None:
    """Brackets without end cost one file, not the process; tried in a process of its own."""
    fakes.fact_file(home).write_bytes(b"[" * depth + b"]" * depth)
    code = "import sys, pathlib; from knowledge.store import load; print(len(load(pathlib.Path(sys.argv[1]))[1]))"
    result = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (result.returncode, result.stdout.strip()) == (0, "1"), result.stderr[-300:]


def test_two_files_cannot_take_one_id(home: Path) -> None:
    """The second file with an id is refused and named."""
    copy = fakes.write(home / "facts" / "zzz" / f"{fakes.LSD['id']}.yaml", fakes.LSD)
    _, problems = load(home)
    assert [(p.code, p.file) for p in problems] == [("duplicate-id", copy)]


def test_a_file_is_named_after_its_entry(home: Path) -> None:
    """A fact in a file of another name is reported."""
    file = fakes.fact_file(home)
    file.rename(moved := file.with_name("other.yaml"))
    _, problems = load(home)
    assert [(p.code, p.file) for p in problems] == [("file-name", moved)]


def test_a_missing_file_of_notices_is_a_problem(home: Path) -> None:
    """What every base needs is missed by name."""
    (home / "notices.yaml").unlink()
    base, problems = load(home)
    assert [p.file.name for p in problems] == ["notices.yaml"]
    assert not base.notices
    assert base.facts


def test_one_bad_entry_of_a_list_does_not_take_the_others_along(home: Path) -> None:
    """In a file of many entries the fault is reported on its line and the rest is read."""
    file = home / "sources.yaml"
    file.write_text(file.read_text() + "- id: other-2021\n  type: rumour\n  title: Hearsay\n")
    base, problems = load(home)
    assert [(p.code, p.line) for p in problems] == [("schema", len(file.read_text().splitlines()) - 1)]
    assert list(base.sources) == ["atlas-2020"]


def test_a_place_names_the_nearest_line_it_knows() -> None:
    """A missing field is reported on the line of what should hold it."""
    place = Place(Path("x.yaml"), {"": 1, "sources": 7, "sources.0": 8})
    assert [place.line(path) for path in ("sources.0.locator", "sources.4.id", "risk", "")] == [8, 7, 1, 1]


def test_the_size_limit_is_a_megabyte() -> None:
    """Larger than any real file, and small enough to read."""
    assert MAX_FILE_BYTES == 1_000_000


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, a reader meets the old file whole, and no half-written one is left behind."""
    file = tmp_path / "fact.yaml"
    write_atomically(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("knowledge.store.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert contents(tmp_path) == {file: b"old"}


def test_a_written_file_keeps_its_permissions(tmp_path: Path) -> None:
    """A base that another account serves can still be read by it after a sign-off."""
    file = tmp_path / "fact.yaml"
    file.write_text("old")
    file.chmod(0o644)
    write_atomically(file, "new")
    assert oct(file.stat().st_mode & 0o777) == oct(0o644)


def test_the_second_of_two_editors_is_told_and_loses_nothing(tmp_path: Path) -> None:
    """Whoever writes what is no longer there is refused; the file holds the first editor's words."""
    file = tmp_path / "fact.yaml"
    write_atomically(file, "old", seen="")
    seen = version_of(file)
    write_atomically(file, "first", seen=seen)
    with pytest.raises(EditConflictError, match="changed by somebody else"):
        write_atomically(file, "second", seen=seen)
    with pytest.raises(EditConflictError):
        write_atomically(file, "new", seen="")
    assert contents(tmp_path) == {file: b"first"}


def test_of_many_writers_at_once_exactly_one_wins(tmp_path: Path) -> None:
    """Between the look at the old version and the rename nobody else can write."""
    file = tmp_path / "fact.yaml"
    write_atomically(file, "old")
    seen = version_of(file)
    start = threading.Barrier(8)
    won = []

    def edit(name: str) -> None:
        start.wait()
        with suppress(EditConflictError):
            write_atomically(file, name, seen=seen)
            won.append(name)

    editors = [threading.Thread(target=edit, args=(f"editor {i}",)) for i in range(8)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert [file.read_text()] == won


def test_the_draft_of_a_killed_writer_is_cleared_away(tmp_path: Path) -> None:
    """What a crash leaves beside the file is gone after the next write."""
    (tmp_path / ".fact.yaml.abc123").write_text("half")
    write_atomically(tmp_path / "fact.yaml", "whole")
    assert contents(tmp_path) == {tmp_path / "fact.yaml": b"whole"}
