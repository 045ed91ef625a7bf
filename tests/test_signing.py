"""Sign-offs, from the digest to what may be shown."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.errors import SignOffError
from knowledge.schema import RECORDS, Fact, Retraction, Review
from knowledge.signing import digest, holds, needs_second_review, reaches, sign, standing
from tests import fakes

LATER = date(2027, 11, 21)
FACT = Fact.model_validate(fakes.LSD)


def by(role: str, entry: Fact = FACT, level: str = "source-checked") -> Review:
    """Return a sign-off by a role."""
    return sign(entry, role, level, fakes.TODAY, LATER)  # type: ignore[arg-type]


def test_the_author_cannot_sign() -> None:
    """Whoever wrote a text is refused, in words that say what to do."""
    with pytest.raises(SignOffError, match="ask another role"):
        by("editor")


def test_a_review_cannot_be_due_before_it_was_made() -> None:
    """A date that would never be met is refused."""
    with pytest.raises(SignOffError, match="must be later"):
        sign(FACT, "source-check", "source-checked", fakes.TODAY, fakes.TODAY)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # odd values are the point
@given(st.sampled_from(sorted(FACT.model_dump(exclude=set(RECORDS)))), st.data())
def test_any_change_of_any_field_changes_the_digest(field: str, data: st.DataObject) -> None:
    """Whatever is changed, to whatever, the old sign-off no longer holds."""
    old = getattr(FACT, field)
    new = data.draw(st.text() if isinstance(old, str) else st.just((*old, "more")) if old else st.just(("x",)))
    changed = FACT.model_copy(update={field: new})
    assert holds(changed, by("source-check")) == (changed == FACT)


@pytest.mark.parametrize(
    "change", [{"by": "safety-check"}, {"level": "clinician"}, {"on": date(2026, 1, 1)}, {"due": date(2030, 1, 1)}]
)
def test_a_changed_sign_off_no_longer_holds(change: dict[str, object]) -> None:
    """Reviewer, level and dates are part of the digest."""
    review = by("source-check")
    assert holds(FACT, review)
    assert not holds(FACT, review.model_copy(update=change))


def test_the_digest_does_not_depend_on_the_sign_off_in_the_file() -> None:
    """Signing a text does not change what is signed, so a second reviewer signs the same words."""
    signed = FACT.model_copy(update={"review": by("source-check")})
    again = digest(signed, "x", "clinician", fakes.TODAY, LATER)
    assert again == digest(FACT, "x", "clinician", fakes.TODAY, LATER)


HIGH = FACT.model_copy(update={"risk": "high"})
# (entry with its reviews, days after the due date, standing)
STANDINGS = {
    "never signed": (FACT, -9, "draft"),
    "signed": (FACT.model_copy(update={"review": by("source-check")}), 0, "signed"),
    "a day late": (FACT.model_copy(update={"review": by("source-check")}), 1, "overdue"),
    "ninety days late": (FACT.model_copy(update={"review": by("source-check")}), 90, "overdue"),
    "too late": (FACT.model_copy(update={"review": by("source-check")}), 91, "withheld"),
    "changed": (FACT.model_copy(update={"review": by("source-check"), "question": "Something else?"}), -9, "draft"),
    "one of two": (HIGH.model_copy(update={"review": by("source-check", HIGH)}), -9, "half-signed"),
    "one role twice": (
        HIGH.model_copy(update={"review": by("a", HIGH), "second_review": by("a", HIGH)}),
        -9,
        "half-signed",
    ),
    "second does not hold": (
        HIGH.model_copy(update={"review": by("a", HIGH), "second_review": by("b")}),
        -9,
        "half-signed",
    ),
    "retracted": (
        FACT.model_copy(
            update={
                "review": by("source-check"),
                "retracted": Retraction(by="source-check", on=LATER, reason="wrong"),
            }
        ),
        -9,
        "retracted",
    ),
    "two roles": (HIGH.model_copy(update={"review": by("a", HIGH), "second_review": by("b", HIGH)}), -9, "signed"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_standing(name: str) -> None:
    """Where an entry stands follows from its reviews and the injected day."""
    entry, days, expected = STANDINGS[name]
    assert standing(entry, LATER + timedelta(days)) == expected


def test_levels_are_ordered() -> None:
    """A clinician's review satisfies both levels, a source check only its own."""
    checked = FACT.model_copy(update={"review": by("source-check")})
    clinician = FACT.model_copy(update={"review": by("physician", level="clinician")})
    assert [reaches(e, "clinician") for e in (FACT, checked, clinician)] == [False, False, True]
    assert reaches(clinician, "source-checked")


def test_high_risk_needs_two() -> None:
    """Only the risk decides."""
    assert (needs_second_review(FACT), needs_second_review(HIGH)) == (False, True)


def test_a_high_risk_text_reaches_a_level_only_if_both_reviews_do() -> None:
    """A clinician's first review does not lift the second, weaker one."""
    entry = HIGH.model_copy(
        update={"review": by("physician", HIGH, "clinician"), "second_review": by("source-check", HIGH)}
    )
    assert not reaches(entry, "clinician")
