"""Every check goes red on a base that breaks it, and on nothing else."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from knowledge import checks, likeness, wording
from knowledge.checks import BASE_CHECKS, ENTRY_CHECKS, check, check_entry, signed_counts
from knowledge.lexicon import Lexicon
from knowledge.schema import Fact
from knowledge.scope import Scope
from knowledge.store import load
from knowledge.wording import reading_grade
from tests import fakes


@pytest.fixture
def _easy_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the reading grade, which has its own tests, out of the way."""
    monkeypatch.setattr(wording, "reading_grade", lambda *_: 5.0)


def fact(**changes: Any) -> Callable[[Path], object]:
    """Return a change that writes the LSD fact with other content, signed."""
    return lambda home: fakes.write_fact(home, fakes.signed(Fact, fakes.LSD | changes))


def _without_second(home: Path) -> None:
    content = fakes.signed(Fact, fakes.NALOXONE)
    content.pop("second_review")
    fakes.write_fact(home, content)


def _own_review(home: Path) -> None:
    fakes.write_fact(home, fakes.signed(Fact, fakes.LSD) | {"author": "source-check"})


def _few_examples(home: Path) -> None:
    file = home / "known_errors" / "lsd-blocks-serotonin.yaml"
    file.write_text(file.read_text().replace("- LSD works by blocking serotonin.\n", ""))


def _unused_source(home: Path) -> None:
    fakes.write(home / "sources.yaml", [*fakes.SOURCES, {"id": "other", "type": "book", "title": "Unread"}])


def _broader(home: Path) -> None:
    fakes.write(home / "lexicon.yaml", [*fakes.ENTITIES, {"id": "x", "name": "x", "kind": "drug", "broader": ["y"]}])


def _audit(**row: Any) -> Callable[[Path], object]:
    value = {"article": "a", "claims": [{"id": "c1", "verdict": "false"} | row]}
    return lambda home: fakes.write(home / "claims" / "a.yaml", value)


LONG = "word " * 26
# (code, what breaks the base, entry that is named in the file's path)
RED = [
    ("unknown-id", fact(entities=["nobody-knows"]), "lsd-turns"),
    ("unknown-id", fact(needs=[["nobody-knows"]]), "lsd-turns"),
    ("unknown-id", fact(related=["nobody-knows"]), "lsd-turns"),
    ("unknown-id", fact(corrects=["nobody-knows"]), "lsd-turns"),
    ("unknown-id", _broader, "lexicon"),
    ("unknown-source", fact(sources=[{"id": "gone", "locator": "p. 1", "supports": "it"}]), "lsd-turns"),
    ("unsigned", lambda home: fakes.write_fact(home, fakes.LSD), "lsd-turns"),
    ("own-review", _own_review, "lsd-turns"),
    ("second-review", _without_second, "naloxone"),
    ("few-asks", fact(asks=fakes.LSD["asks"][:9]), "lsd-turns"),
    ("few-asks", _few_examples, "lsd-blocks"),
    ("repeated-ask", fact(asks=[*fakes.LSD["asks"], "what does cocaine do to dopamine"]), "lsd-turns"),
    ("stigma", fact(answer="Many addicts have taken LSD in the past."), "lsd-turns"),
    ("instruction", fact(answer="People often use 100 mg of it in one day."), "lsd-turns"),
    ("instruction", fact(answer="It is known that you should stop LSD at once."), "lsd-turns"),
    ("food", fact(answer="Bananas are rich in serotonin and taste good."), "lsd-turns"),
    ("food", fact(answer="There is no serotonin at all in bananas."), "lsd-turns"),
    ("long-sentence", fact(answer=LONG + "end."), "lsd-turns"),
    ("absolute", fact(answer="It is always safe, and never harmful, for all people."), "lsd-turns"),
    ("unused-source", _unused_source, "sources"),
    ("homeless", _audit(), "a.yaml"),
    ("unknown-id", _audit(facts=["gone"]), "a.yaml"),
    ("no-error", _audit(facts=["lsd-turns-receptors-on"]), "a.yaml"),
    ("asserts-error", fact(detail="LSD acts as a serotonin antagonist. That is all."), "lsd-turns"),
]


@pytest.mark.usefixtures("_easy_to_read")
def test_the_tiny_base_has_no_problem(home: Path) -> None:
    """What is sound passes every check, so a red one below is red for its own reason."""
    base, loading = load(home)
    assert check(base, fakes.TODAY, loading) == ()


@pytest.mark.usefixtures("_easy_to_read")
@pytest.mark.parametrize(("code", "break_it", "where"), RED)
def test_a_check_goes_red(home: Path, code: str, break_it: Callable[[Path], object], where: str) -> None:
    """The problem has the code, stands at the file, and says how to mend it."""
    break_it(home)
    base, loading = load(home)
    found = [problem for problem in check(base, fakes.TODAY, loading) if problem.code == code]
    assert found, [str(problem) for problem in check(base, fakes.TODAY, loading)]
    assert where in str(found[0].file)
    assert found[0].mend
    assert found[0].line >= 1


@pytest.mark.usefixtures("_easy_to_read")
@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2027, 1, 1), []),
        (date(2027, 3, 2), [("due-soon", "advice")]),
        (date(2027, 5, 1), [("due-soon", "advice")]),
        (date(2027, 5, 2), [("overdue", "advice")]),
        (date(2027, 8, 1), [("overdue", "error")]),
    ],
)
def test_reviews_are_announced_warned_of_and_then_required(
    home: Path, today: date, expected: list[tuple[str, str]]
) -> None:
    """Sixty days ahead it is advice, overdue too, and an error once the text is withheld."""
    fakes.write_fact(home, fakes.signed(Fact, fakes.LSD, date(2027, 5, 1)))
    base, _ = load(home)
    assert [(problem.code, problem.severity) for problem in check(base, today)] == expected


@pytest.mark.parametrize(("grade", "severities"), [(8.0, set()), (8.1, {"advice"}), (10.1, {"error"})])
def test_hard_text_is_advice_and_then_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, grade: float, severities: set[str]
) -> None:
    """Above grade 8 editors hear of it, above grade 10 it stops a release."""
    monkeypatch.setattr(wording, "reading_grade", lambda *_: grade)
    base, _ = load(home)
    assert {p.severity for p in check(base, fakes.TODAY) if p.code == "grade"} == severities


def test_the_grade_is_computed_without_the_network(home: Path) -> None:
    """Hard text reads at a higher grade than easy text, and a drug's long name does not count."""
    lexicon = Lexicon(load(home)[0].entities)
    hard = "Neuropharmacological characterisation demonstrates considerable interindividual variability."
    assert reading_grade(hard, lexicon) > 10 > reading_grade("The cat sat on the mat.", lexicon)
    assert reading_grade("It is naloxone.", lexicon) == reading_grade("It is thing.", lexicon)


@pytest.mark.usefixtures("_easy_to_read")
def test_problems_come_all_at_once_in_file_order(home: Path) -> None:
    """An editor mends everything in one go."""
    fakes.fact_file(home, fakes.COCAINE).write_text("a: [")
    fact(answer="Many addicts have taken LSD in the past.", entities=["gone"])(home)
    base, loading = load(home)
    found = check(base, fakes.TODAY, loading)
    assert {"yaml", "stigma", "unknown-id"} <= {problem.code for problem in found}
    assert [(str(p.file), p.line) for p in found] == sorted((str(p.file), p.line) for p in found)


@pytest.mark.parametrize("text", ['Doctors no longer say "addict" to anyone.', "Alcoholics Anonymous is a group."])
def test_words_may_be_named_when_they_are_the_subject(home: Path, text: str) -> None:
    """A text about words quotes them, and a group has the name it has."""
    fact(answer=text)(home)
    base, _ = load(home)
    assert not list(wording.kind_words(Scope(base, fakes.TODAY, dict(base.signable()))))


def test_every_check_is_registered() -> None:
    """A check that nobody runs checks nothing."""
    names = {
        name
        for module in (checks, likeness, wording)
        for name, value in vars(module).items()
        if list(getattr(value, "__annotations__", {}).values())[:1] == [Scope] and not name.startswith("_")
    }
    assert names == {rule.__name__ for rule in (*ENTRY_CHECKS, *BASE_CHECKS)}


@pytest.mark.usefixtures("_easy_to_read")
def test_a_draft_is_judged_as_a_part_of_the_base(home: Path) -> None:
    """Before it is on file: its own words, the ids it names, and the asks that others have; errors first."""
    base, _ = load(home)
    content = fakes.LSD | {
        "id": "a-draft",
        "answer": "Many addicts have taken LSD in the past.",
        "asks": ["what does cocaine do to dopamine"],
        "related": ["a-draft", "nobody"],
    }
    found = check_entry(base, "fact:a-draft", Fact.model_validate(content), fakes.TODAY)
    assert {p.code for p in found} == {"stigma", "repeated-ask", "few-asks", "unknown-id", "unsigned"}
    assert [p.severity for p in found] == sorted((p.severity for p in found), key="error".__ne__)
    assert "nobody" in next(p.message for p in found if p.code == "unknown-id")


def _retract_cocaine(home: Path) -> None:
    record = {"by": "editor", "on": fakes.TODAY, "reason": "wrong"}
    fakes.write_fact(home, fakes.COCAINE | {"retracted": record})


@pytest.mark.usefixtures("_easy_to_read")
def test_what_is_retracted_is_no_problem_but_links_to_it_are_named(home: Path) -> None:
    """A retraction must be able to go out at once, so the links that are left are advice."""
    _retract_cocaine(home)
    fact(related=[fakes.COCAINE["id"]])(home)
    _audit(facts=[fakes.COCAINE["id"]], verdict="supported")(home)
    base, loading = load(home)
    assert [(p.code, p.severity) for p in check(base, fakes.TODAY, loading)] == [("retracted-link", "advice")] * 2


def test_standings_are_counted(home: Path) -> None:
    """The counts add up to everything that can be signed."""
    fakes.write_fact(home, fakes.LSD)
    base, _ = load(home)
    counts = signed_counts(base, fakes.TODAY)
    assert counts["draft"] == 1
    assert counts["draft"] + counts["signed"] == len(list(base.signable()))
    assert counts["twice reviewed"] == 1
