"""Case files → cases."""

from pathlib import Path

import pytest

from app.bot import Bot
from app.models import KINDS
from evals.cases import HOME, CaseError, load_cases

GOOD = "- {id: a-1, ask: what is lsd, kinds: [answer], facts: [x]}\n"
BROKEN = {
    "unknown key": (GOOD + "- {id: a-2, ask: q, kinds: [answer], fatcs: [x]}\n", 2),
    "unknown kind": (GOOD + "- {id: a-2, ask: q, kinds: [anwser]}\n", 2),
    "no kind": (GOOD + "- {id: a-2, ask: q, kinds: []}\n", 2),
    "no turns": (GOOD + "- {id: a-2, turns: []}\n", 2),
    "id twice": (GOOD + GOOD, 2),
    "text": (GOOD + "- just words\n", 2),
    "not a list": ("id: a-1\n", 1),
    "empty": ("", 1),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_case_is_named_with_file_and_line(tmp_path: Path, name: str) -> None:
    """The run is refused, and every fault is in the message."""
    text, line = BROKEN[name]
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "facts.yaml").write_text(text)
    with pytest.raises(CaseError, match=rf"facts\.yaml:{line}:"):
        load_cases("dev", tmp_path)


HOSTILE = {
    "cut short": (GOOD.encode() + b"- {id: a", 3),
    "not UTF-8": (GOOD.encode() + b"# \xff\xfe", 2),
    "deep nesting": (GOOD.encode() + b"- " + b"[" * 100_000, 2),
    "alias bomb": (b"- &a [x, x]\n- &b [*a, *a]\n- [*b, *b]\n", 2),
    "10 MB string": (GOOD.encode() + b"# " + b"x" * 10_000_000, 1),
    "tab": (GOOD.encode() + b"\t- {id: a-2}\n", 2),
    "key twice": (GOOD.encode() + b"- {id: a-2, ask: q, ask: r, kinds: [answer]}\n", 2),
    "null byte": (GOOD.encode() + b"- \x00\n", 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    """A slip of the editor, or a hostile file, ends in one clear line and not in a traceback."""
    content, line = HOSTILE[name]
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "facts.yaml").write_bytes(content)
    with pytest.raises(CaseError, match=rf"facts\.yaml:{line}:"):
        load_cases("dev", tmp_path)


def test_no_case_is_an_error(tmp_path: Path) -> None:
    """An empty run that passes would prove nothing."""
    with pytest.raises(CaseError, match="no case"):
        load_cases("test", tmp_path)


def test_the_family_is_the_file_name_up_to_a_hyphen(tmp_path: Path) -> None:
    """A family may be spread over files, and a case of one turn is written flat."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "small_talk-2.yaml").write_text(GOOD)
    (case,) = load_cases("dev", tmp_path)
    assert (case.family, case.last.ask, case.last.facts) == ("small_talk", "what is lsd", ("x",))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_case_that_ships_names_entries_that_exist(bot: Bot, split: str) -> None:
    """A case for a fact that is gone can never be right."""
    gone = {
        f"{case.id}: {name}"
        for case in load_cases(split)  # type: ignore[arg-type]
        for turn in case.turns
        for name in (
            *(f for f in turn.facts if f not in bot.vetted.facts),
            *(e for e in turn.errors if e not in bot.vetted.known_errors),
        )
    }
    assert not gone


def test_every_kind_of_reply_is_expected_somewhere() -> None:
    """A kind that no case expects is one that nobody measures; what is no question has test_guard.py."""
    assert {kind for case in load_cases("test") for turn in case.turns for kind in turn.kinds} == set(KINDS) - {
        "invalid"
    }


def test_hardly_a_question_is_in_both_splits() -> None:
    """What was fitted on is not what is judged; the plainest questions coincide, at most one in twenty."""
    dev, test = ({t.ask.casefold().strip() for c in load_cases(s) for t in c.turns} for s in ("dev", "test"))  # type: ignore[arg-type]
    common = dev & test
    assert len(common) <= 0.05 * len(test), sorted(common)


def test_the_cases_stand_beside_the_code() -> None:
    """The default folder is the one in the package."""
    assert {"dev", "test"} <= {place.name for place in HOME.iterdir()}
