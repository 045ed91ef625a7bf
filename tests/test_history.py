"""What git knows of an entry."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from knowledge.history import Change, changes, last_signed, record, versions
from knowledge.schema import Fact
from knowledge.store import load
from tests import fakes

LSD = f"fact:{fakes.LSD['id']}"


def git(home: Path, *arguments: str) -> str:
    """Run git in the base."""
    return subprocess.run(["git", "-C", home, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(home: Path) -> Path:
    """Return the tiny base in a git checkout, one commit old."""
    git(home, "init", "--quiet")
    record(home, (home,), "source-check", "Sign the tiny base")
    return home


def past(home: Path, key: str) -> list[tuple[str, str, Any]]:
    """Return who, what for, and the detail of each version, newest first."""
    place = load(home)[0].places[key]
    return [(v.by, v.subject, getattr(v.entry, "detail", None)) for v in versions(place, key)]


def test_versions_tell_who_changed_what(checkout: Path) -> None:
    """Newest first, in the name of the role; commits that leave the entry alone are left out."""
    file = fakes.write_fact(checkout, fakes.LSD | {"detail": "A draft from the editor."})
    assert record(checkout, (file,), "editor", "Say more about LSD")
    other = fakes.write_fact(checkout, fakes.COCAINE | {"detail": "Not about LSD at all."})
    assert record(checkout, (other,), "editor", "Say more about cocaine")
    assert past(checkout, LSD) == [
        ("editor", "Say more about LSD", "A draft from the editor."),
        ("source-check", "Sign the tiny base", fakes.LSD.get("detail")),
    ]


def test_an_entry_of_a_file_of_many_has_its_own_past(checkout: Path) -> None:
    """A change of one notice is no version of another."""
    file = checkout / "notices.yaml"
    file.write_text(file.read_text().replace("hard time", "sad time"))
    record(checkout, (file,), "editor", "Say sad")
    assert len(past(checkout, "notice:care")) == 2
    assert len(past(checkout, "notice:trouble")) == 1


def test_the_past_survives_a_move(checkout: Path) -> None:
    """A fact that moves to another topic keeps its history."""
    (checkout / "facts" / "mdma").mkdir()
    old = fakes.fact_file(checkout)
    git(checkout, "mv", str(old), str(checkout / "facts" / "mdma"))
    record(checkout, (checkout,), "editor", "Move LSD")
    assert len(past(checkout, LSD)) == 1
    assert past(checkout, LSD)[0][1] == "Sign the tiny base"


def test_the_last_signed_version_is_found_under_drafts(checkout: Path) -> None:
    """Drafts that were committed since do not hide it."""
    for detail in ("The first draft of a detail.", "The second draft of a detail."):
        file = fakes.write_fact(checkout, fakes.signed(Fact, fakes.LSD) | {"detail": detail})
        record(checkout, (file,), "editor", "Draft")
    signed = last_signed(load(checkout)[0].places[LSD], LSD)
    assert signed
    assert signed.subject == "Sign the tiny base"


def test_without_git_there_is_no_past(home: Path) -> None:
    """No error either: the base works in any folder."""
    assert past(home, LSD) == []
    assert record(home, (fakes.fact_file(home),), "editor", "nothing") is False


def test_nothing_new_is_nothing_to_commit(checkout: Path) -> None:
    """And what others have staged is left alone."""
    (checkout / "other.txt").write_text("staged by somebody else")
    git(checkout, "add", "other.txt")
    assert record(checkout, (fakes.fact_file(checkout),), "editor", "nothing") is False
    file = fakes.write_fact(checkout, fakes.LSD)
    assert record(checkout, (file,), "editor", "Draft")
    assert git(checkout, "status", "--porcelain").strip() == "A  other.txt"


def test_changes_are_told_sentence_by_sentence() -> None:
    """Prose with its unchanged sentences, lists by what came and went, sign-offs not at all."""
    before = Fact.model_validate(fakes.signed(Fact, fakes.LSD))
    answer = before.answer.replace("It does not block them.", "It leaves them on.")
    after = before.model_copy(update={"answer": answer, "asks": (*before.asks[1:], "what is acid"), "review": None})
    found = changes(before, after)
    assert Change("answer", "-", "It does not block them.") in found
    assert Change("answer", "+", "It leaves them on.") in found
    assert Change("answer", " ", "LSD turns on serotonin receptors in the brain.") in found
    assert [(c.mark, c.text) for c in found if c.field == "asks"] == [("-", before.asks[0]), ("+", "what is acid")]
    assert {c.field for c in found if c.mark != " "} == {"answer", "asks"}


def test_a_first_version_is_new_throughout() -> None:
    """Without anything before it, every sentence is an addition."""
    assert {change.mark for change in changes(None, Fact.model_validate(fakes.LSD))} == {"+"}
