"""Evidence → decisions, one rule at a time."""

from dataclasses import replace

import pytest

from app.bot import Bot
from app.decision import Decider, Evidence, Reading, Sameness
from app.models import Candidate, Found, Question, Signal
from app.understanding import Understood
from tests import fakes

LSD, COCAINE, NALOXONE = (f"fact:{f['id']}" for f in (fakes.LSD, fakes.COCAINE, fakes.NALOXONE))
ERROR = f"error:{fakes.LSD_ERROR['id']}"
CALM = {"crisis": 0.0, "refer": 0.0, "scope": 0.5}
QUESTION = Understood(((Question(("q",), "q", "q"),),))


def found(*candidates: tuple[str, float]) -> Found:
    """Return candidates with their cosines; .9 is answered by the fake calibration, .65 is near, .5 is far."""
    listed = (Candidate(owner, dense, {"dense": dense}, f"{owner}#0") for owner, dense in candidates)
    return Found(tuple(listed), 1.0)


def evidence(*parts: Found, **changes: object) -> Evidence:
    """Return calm evidence about a message of as many questions as there are parts."""
    readings = tuple((Reading(part, 0.5),) for part in parts)
    plain = Evidence(QUESTION, readings, (), CALM, (), after_crisis=False)
    return replace(plain, **changes)  # type: ignore[arg-type]


SURE, NEAR, FAR = found((COCAINE, 0.9), (LSD, 0.4)), found((COCAINE, 0.65), (NALOXONE, 0.6)), found((COCAINE, 0.2))
REFER, INJECTION = Signal("refer", "dose", "how much"), Signal("injection", "injection", "ignore")

# (evidence, kind, ids)
TABLE = {
    "sure": (evidence(SURE), "answer", (COCAINE,)),
    "sure of an error": (evidence(found((ERROR, 0.9))), "correction", (ERROR,)),
    "as close to an error as to its fact": (evidence(found((LSD, 0.9), (ERROR, 0.88))), "correction", (ERROR,)),
    "two near ones": (evidence(NEAR), "clarify", ("notice:clarify",)),
    "one near one": (evidence(found((COCAINE, 0.65))), "out_of_scope", ("notice:out-of-scope-near",)),
    "far": (evidence(FAR), "out_of_scope", ("notice:out-of-scope",)),
    "nothing": (evidence(found()), "out_of_scope", ("notice:out-of-scope",)),
    "crisis by opinion": (evidence(SURE, opinions=CALM | {"crisis": 0.5}), "crisis", ("notice:crisis-general",)),
    "refer by phrase": (evidence(SURE, signals=(REFER,)), "refer", ("notice:refer-dose",)),
    "a phrase the opinion doubts": (
        evidence(SURE, signals=(REFER,), opinions=CALM | {"refer": -1.0}),
        "answer",
        (COCAINE,),
    ),
    "the reading that finds": (
        replace(evidence(), parts=((Reading(FAR, 0.5), Reading(SURE, 0.5)),)),
        "answer",
        (COCAINE,),
    ),
    "not the same again": (
        replace(evidence(), parts=((Reading(SURE, 0.5), Reading(found((LSD, 0.88)), 0.5)),), shown=(COCAINE,)),
        "answer",
        (LSD,),
    ),
    "refer by opinion": (evidence(SURE, opinions=CALM | {"refer": 0.9}), "refer", ("notice:refer-personal",)),
    "crisis before refer": (
        evidence(SURE, opinions=CALM | {"crisis": 0.9}, signals=(REFER,)),
        "crisis",
        ("notice:crisis-general",),
    ),
    "injection, nothing found": (
        evidence(FAR, signals=(INJECTION,)),
        "out_of_scope",
        ("notice:out-of-scope-injection",),
    ),
    "injection around a question": (evidence(SURE, signals=(INJECTION,)), "answer", (COCAINE,)),
    "two answers": (evidence(SURE, found((ERROR, 0.9))), "correction", (COCAINE, ERROR)),
    "half an answer": (evidence(SURE, FAR), "answer", (COCAINE, "notice:partly-covered")),
    "one answer twice": (evidence(SURE, SURE), "answer", (COCAINE,)),
    "no answer twice": (evidence(FAR, NEAR), "out_of_scope", ("notice:out-of-scope",)),
    "lost": (
        evidence(understood=replace(QUESTION, follow_up="lost")),
        "clarify",
        ("notice:clarify-follow-up",),
    ),
    "no more": (evidence(understood=Understood((), follow_up="more")), "clarify", ("notice:no-more",)),
}


@pytest.fixture
def decider(tiny: Bot) -> Decider:
    """The decider with the fake calibration."""
    return Decider(tiny.vetted, fakes.tiny_calibration())


@pytest.mark.parametrize("name", TABLE)
def test_evidence_leads_to_a_decision(decider: Decider, name: str) -> None:
    """The last decision holds for the whole message, and says why in one line."""
    seen, kind, ids = TABLE[name]
    decision = decider.decide(seen)[-1]
    assert (decision.kind, decision.ids) == (kind, ids)
    assert decision.reason
    assert "\n" not in decision.reason


@pytest.mark.parametrize(
    ("changes", "care"),
    [
        ({}, False),
        ({"after_crisis": True}, True),
        ({"opinions": CALM | {"crisis": 0.3}}, True),
        ({"signals": (Signal("care", "lonely", "so lonely"),)}, True),
    ],
)
def test_doubt_adds_care_and_costs_nobody_the_answer(decider: Decider, changes: dict[str, object], care: bool) -> None:
    """After a crisis, or near one, the answer comes with help."""
    decision = decider.decide(evidence(SURE, **changes))[-1]
    assert (decision.kind, decision.care) == ("answer", care)


def test_offers_are_facts_never_wrong_claims(decider: Decider) -> None:
    """A known error is no title for a button: the fact behind it is offered."""
    for seen in (evidence(found((ERROR, 0.6), (COCAINE, 0.58))), evidence(SURE, signals=(REFER,)), evidence(SURE)):
        offers = decider.decide(seen)[-1].offers
        assert offers
        assert all(offer.startswith("fact:") for offer in offers)


def test_an_answer_does_not_offer_itself(decider: Decider) -> None:
    """What is shown is not offered again."""
    for seen in (evidence(SURE), evidence(SURE, found((LSD, 0.9)))):
        decision = decider.decide(seen)[-1]
        assert not set(decision.ids) & set(decision.offers)


def test_an_error_and_its_fact_are_no_rivals(tiny: Bot) -> None:
    """They say the same thing; two facts do not."""
    same = Sameness(tiny.vetted)
    assert same(ERROR, LSD)
    assert same(LSD, ERROR)
    assert same(LSD, LSD)
    assert not same(LSD, COCAINE)
