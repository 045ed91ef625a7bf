"""What editors and reviewers do to the files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knowledge import wording
from knowledge.agenda import due, waiting
from knowledge.editing import links_to, require_signable, retract, save_draft, send_back, sign_entry
from knowledge.errors import EditConflictError, GuideError, SignOffError, UnknownIdError
from knowledge.schema import Fact
from knowledge.signing import standing, vet
from knowledge.store import KnowledgeBase, load
from tests import fakes

LSD, COCAINE, NALOXONE = (f"fact:{content['id']}" for content in (fakes.LSD, fakes.COCAINE, fakes.NALOXONE))
ERROR = f"error:{fakes.LSD_ERROR['id']}"


@pytest.fixture(autouse=True)
def _easy_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the reading grade, which has its own tests, out of the way."""
    monkeypatch.setattr(wording, "reading_grade", lambda *_: 5.0)


def base_of(home: Path) -> KnowledgeBase:
    """Return the base as it stands on file; every file can be read."""
    base, problems = load(home)
    assert problems == ()
    return base


def changed(**changes: Any) -> Fact:
    """Return the LSD fact with other words."""
    return Fact.model_validate(fakes.LSD | changes)


def test_a_draft_is_saved_and_waits_for_review(home: Path) -> None:
    """A new fact stands in the folder of its topic, unsigned, and is in the queue."""
    file = save_draft(base_of(home), home, changed(id="lsd-and-time"))
    assert file == home / "facts" / "psychedelics" / "lsd-and-time.yaml"
    base = base_of(home)
    assert base.facts["lsd-and-time"] == changed(id="lsd-and-time")
    assert [(item.key, item.step) for item in waiting(base, fakes.TODAY)] == [("fact:lsd-and-time", "review")]


def test_new_words_for_a_signed_text_keep_the_old_sign_off_on_file(home: Path) -> None:
    """It no longer holds, and still tells when the words before were signed."""
    base = base_of(home)
    save_draft(base, home, changed(detail="This is a new detail."), base.places[LSD].version)
    now = base_of(home).facts[fakes.LSD["id"]]
    assert (now.detail, standing(now, fakes.TODAY)) == ("This is a new detail.", "draft")
    assert now.review == base.facts[fakes.LSD["id"]].review


def test_two_editors_on_one_fact(home: Path) -> None:
    """The second is told, whether the entry was changed or newly made meanwhile; the first one's words stand."""
    base = base_of(home)
    save_draft(base, home, changed(detail="The first editor was here."), base.places[LSD].version)
    save_draft(base, home, changed(id="new-fact", detail="The first editor was here."))
    before = fakes.fact_file(home).read_bytes()
    with pytest.raises(EditConflictError):
        save_draft(base, home, changed(detail="The second editor was here."), base.places[LSD].version)
    with pytest.raises(EditConflictError):
        save_draft(base, home, changed(id="new-fact"))
    with pytest.raises(EditConflictError):
        save_draft(base_of(home), home, changed(id="new-fact"))
    assert fakes.fact_file(home).read_bytes() == before


def test_what_changed_since_it_was_read_is_not_signed(home: Path) -> None:
    """A reviewer signs the words that were on the screen, or nothing."""
    fakes.write_fact(home, fakes.LSD)
    base = base_of(home)
    file = fakes.write_fact(home, fakes.LSD | {"detail": "Slipped in after the review."})
    before = file.read_bytes()
    for act in (
        lambda: sign_entry(base, LSD, "source-check", "source-checked", fakes.TODAY),
        lambda: send_back(base, LSD, "source-check", "no", fakes.TODAY),
        lambda: retract(base, LSD, "editor", "no", fakes.TODAY),
    ):
        with pytest.raises(EditConflictError, match="somebody else"):
            act()
    file.unlink()
    with pytest.raises(EditConflictError, match="no longer in"):
        sign_entry(base, LSD, "source-check", "source-checked", fakes.TODAY)
    fakes.write_fact(home, fakes.LSD | {"detail": "Slipped in after the review."})
    assert file.read_bytes() == before


def test_a_change_of_another_entry_in_the_file_is_no_conflict(home: Path) -> None:
    """Two notices of one file can be signed one after the other from one reading."""
    file = home / "notices.yaml"
    file.write_text(file.read_text().replace("hard time", "sad time").replace("help lines below", "lines below"))
    file.write_text(file.read_text().replace("Hello. You", "Hello! You"))
    base = base_of(home)
    for key in ("notice:care", "notice:small-talk-hello"):
        sign_entry(base, key, "source-check", "source-checked", fakes.TODAY)
    assert waiting(base_of(home), fakes.TODAY) == ()


def test_sent_back_and_signed_after_all(home: Path) -> None:
    """The reason stands in the file until a new draft or a sign-off answers it."""
    fakes.write_fact(home, fakes.LSD)
    send_back(base_of(home), LSD, "source-check", "The second sentence\nhas no source.", fakes.TODAY)
    base = base_of(home)
    (item,) = waiting(base, fakes.TODAY)
    assert item.step == "changes"
    assert item.sent_back
    assert item.sent_back.reason == "The second sentence has no source."
    sign_entry(base, LSD, "source-check", "source-checked", fakes.TODAY)
    assert base_of(home).facts[fakes.LSD["id"]].sent_back is None
    with pytest.raises(SignOffError, match="retract it"):
        send_back(base_of(home), LSD, "source-check", "no", fakes.TODAY)


def test_a_new_draft_answers_a_rejection(home: Path) -> None:
    """It goes back into the reviewers' queue."""
    fakes.write_fact(home, fakes.LSD)
    send_back(base_of(home), LSD, "source-check", "no source", fakes.TODAY)
    base = base_of(home)
    save_draft(base, home, changed(detail="Better. It has a source now."), base.places[LSD].version)
    assert [item.step for item in waiting(base_of(home), fakes.TODAY)] == ["review"]


def test_retracted_is_gone_and_nothing_is_lost(home: Path) -> None:
    """It is nowhere that a reply could take it from; the file keeps words, reason and old sign-offs."""
    before = base_of(home)
    retract(before, NALOXONE, "editor", "A source was withdrawn.", fakes.TODAY)
    base = base_of(home)
    assert fakes.NALOXONE["id"] not in base.facts
    assert fakes.NALOXONE["id"] not in vet(base, fakes.TODAY).facts
    kept = base.retracted[NALOXONE]
    assert isinstance(kept, Fact)
    old = before.facts[fakes.NALOXONE["id"]]
    assert kept.answer == old.answer
    assert kept.retracted
    assert kept.retracted.reason == "A source was withdrawn."
    assert kept.retracted.reviews == (old.review, old.second_review)


def test_taking_the_retraction_out_gives_a_draft(home: Path) -> None:
    """A text does not come back without a new review."""
    retract(base_of(home), LSD, "editor", "wrong", fakes.TODAY)
    file = fakes.fact_file(home)
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("retracted:")))
    assert standing(base_of(home).facts[fakes.LSD["id"]], fakes.TODAY) == "draft"


def test_an_old_sign_off_put_back_beside_the_retraction_does_not_count(home: Path) -> None:
    """However the file is edited, retracted is retracted."""
    row = next(line for line in fakes.fact_file(home).read_text().splitlines(True) if line.startswith("review:"))
    retract(base_of(home), LSD, "editor", "wrong", fakes.TODAY)
    file = fakes.fact_file(home)
    file.write_text(file.read_text() + row)
    base = base_of(home)
    assert standing(base.retracted[LSD], fakes.TODAY) == "retracted"
    assert fakes.LSD["id"] not in vet(base, fakes.TODAY).facts


def test_a_retraction_names_what_still_points_there(home: Path) -> None:
    """Known errors, related facts and audited claims; an error that is left without a fact is said to be."""
    fakes.write_fact(home, fakes.signed(Fact, fakes.COCAINE | {"related": [fakes.LSD["id"]]}))
    fakes.write(
        home / "claims" / "a.yaml",
        {"article": "a", "claims": [{"id": "c1", "verdict": "supported", "facts": [fakes.LSD["id"]]}]},
    )
    base = base_of(home)
    assert links_to(base, LSD) == (
        f"{COCAINE} names it under related",
        f"{ERROR} names it under facts; it has no other fact to carry the truth",
        "claims/a: the home of c1",
    )
    assert retract(base, LSD, "editor", "wrong", fakes.TODAY) == links_to(base, LSD)


def test_an_id_stays_taken_after_a_retraction(home: Path) -> None:
    """The history of one id is the history of one text."""
    retract(base_of(home), LSD, "editor", "wrong", fakes.TODAY)
    with pytest.raises(UnknownIdError, match="choose another id"):
        save_draft(base_of(home), home, changed())
    fakes.write(home / "facts" / "zzz" / f"{fakes.LSD['id']}.yaml", fakes.LSD)
    assert [problem.code for problem in load(home)[1]] == ["duplicate-id"]


# (act, the word that says why it is refused)
Act = Callable[[KnowledgeBase], object]
REFUSED: list[tuple[Act, str]] = [
    (lambda b: retract(b, "notice:care", "editor", "x", fakes.TODAY), "the product needs"),
    (lambda b: retract(b, "phrases:crisis", "editor", "x", fakes.TODAY), "the product needs"),
    (lambda b: retract(b, "help:us-911", "editor", "x", fakes.TODAY), "last emergency line"),
    (lambda b: retract(b, LSD, "editor", "  ", fakes.TODAY), "give a reason"),
    (lambda b: retract(b, "fact:nobody", "editor", "x", fakes.TODAY), "no entry"),
    (lambda b: retract(b, "../../etc", "editor", "x", fakes.TODAY), "no entry"),
    (lambda b: sign_entry(b, LSD, "source-check", "source-checked", fakes.TODAY), "nothing has changed"),
    (lambda b: require_signable(b, LSD, "editor", "clinician", fakes.TODAY), "cannot also sign"),
]


@pytest.mark.parametrize(("act", "reason"), REFUSED)
def test_refused_acts_change_nothing(home: Path, act: Act, reason: str) -> None:
    """The reason is said, and every file is as it was."""
    before = {file: file.read_bytes() for file in home.rglob("*.yaml")}
    with pytest.raises(GuideError, match=reason):
        act(base_of(home))
    assert {file: file.read_bytes() for file in home.rglob("*.yaml")} == before


def test_a_help_line_can_be_retracted_while_another_one_of_its_kind_is_there(home: Path) -> None:
    """Nobody is left without a number to call."""
    file = home / "help" / "us.yaml"
    text = file.read_text()
    block = text[text.index("- id: us-988") :]
    file.write_text(text + block.replace("us-988", "us-other").split("  review:")[0] + "\n")
    sign_entry(base_of(home), "help:us-other", "source-check", "source-checked", fakes.TODAY)
    retract(base_of(home), "help:us-988", "editor", "number changed", fakes.TODAY)
    base = base_of(home)
    assert [line.id for line in base.countries["us"].lines] == ["us-911", "us-other"]
    assert "help:us-988" in base.retracted


def test_a_higher_level_and_a_review_before_it_is_due_are_changes_enough(home: Path) -> None:
    """A clinician may sign a source-checked text, and a review may be renewed when its end is near."""
    base = base_of(home)
    review = sign_entry(base, LSD, "physician", "clinician", fakes.TODAY)
    near = review.due.replace(day=1)
    assert [item.key for item in due(base_of(home), near, 90)] == [LSD]
    renewed = sign_entry(base_of(home), LSD, "source-check", "source-checked", near)
    assert renewed.due > review.due


def test_reviews_that_fall_due_are_listed_most_urgent_first(home: Path) -> None:
    """Overdue ones too, and those of high risk by the earlier of two dates."""
    fakes.write_fact(home, fakes.signed(Fact, fakes.LSD, fakes.DUE.replace(year=2027)))
    base = base_of(home)
    day = fakes.DUE.replace(year=2027)
    assert [(item.key, item.standing) for item in due(base, day, 0)] == [(LSD, "signed")]
    assert [item.standing for item in due(base, day.replace(year=2028), 0)] == ["withheld"]
    assert due(base, fakes.TODAY, 30) == ()
