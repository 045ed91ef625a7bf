"""What identifies a visitor is taken out of their words; what they ask about stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scrub import Scrubber
from knowledge.signing import Vetted, vet
from knowledge.store import load
from tests import fakes

# (typed, what is kept)
TAKEN_OUT = [
    ("write to sio.ob+x@example.ie please", "write to [email] please"),
    ("it's john at example dot com", "it's [email]"),
    ("see https://example.org/me?id=3 or www.example.com", "see [link] or [link]"),
    ("@acid_head and u/shroomguy said so", "[name] and [name] said so"),
    ("call 087 123 4567", "call [number]"),
    ("call +1 (555) 010-9999 now", "call [number] now"),
    ("my number is five five five one two one two", "my number is [number]"),
    ("ssn 078-05-1120, patient 88213", "ssn [number], patient [number]"),
    ("since 12/03/2024 i feel low", "since [date] i feel low"),
    ("it began on 3rd of May 2021", "it began on [date]"),
    ("it began on May 3, 2021", "it began on [date]"),
    ("clean since june 2019, born 1985", "clean since [date], born [date]"),
    ("i live at 14 Elm Tree Road, SW1A 1AA", "i live at [address], [address]"),
    ("the house at 9 north main st", "the house at [address]"),
    ("apt 4b, D02 X285, K1A 0B1", "[address], [address], [address]"),
    ("i live in cork near the river", "i live in [place] near the river"),
    ("We moved to Kraków with Zbigniew Wiśniewski", "We moved to [place] with [name]"),
    ("my name is Siobhan O'Brien", "my name is [name]"),
    ("i'm sarah", "i'm [name]"),
    ("aoife's mother uses heroin", "[name] mother uses heroin"),
    ("my son jayden took it", "my son [name] took it"),
    ("my friend Molly took molly", "my friend [name] took molly"),
    ("dr smith and Nurse Adeyemi prescribed zoloft", "dr [name] and Nurse [name] prescribed zoloft"),
    ("a man called Xqzt gave it to me", "a man called [name] gave it to me"),
    ("I hope Mark is ok", "I hope [name] is ok"),
    ("e\u200bmma\u200b said so", "[name] said so"),
]
STAYS = [
    "does dopamine go up with coke",
    "WHAT IS SEROTONIN",
    "Why Does Coke Feel Good",
    "how long does 5-HT2A stay blocked",
    "i took 20 mg twice a day, 24/7, for 3 weeks",
    "is 2000 mg a lot",
    "my wife is using and my doctor said to stop zoloft",
    "Is molly safe? is adderall? what about kratom",
    "i am pregnant, can i take prozac",
    "may i mark this, i hope it will be ok",
    "is parkinson's about dopamine",
]


@pytest.fixture(scope="module")
def vetted() -> Vetted:
    """The repository's own base."""
    return vet(load()[0], fakes.TODAY)


@pytest.fixture(scope="module")
def scrubber(vetted: Vetted) -> Scrubber:
    """A scrubber that knows the words of the repository's base."""
    return Scrubber.of(vetted)


@pytest.mark.parametrize(("typed", "kept"), TAKEN_OUT)
def test_what_identifies_is_taken_out(scrubber: Scrubber, typed: str, kept: str) -> None:
    """A mark says what stood there, and nothing of it is left."""
    assert scrubber.scrub(typed) == kept


@pytest.mark.parametrize("typed", STAYS)
def test_a_question_stays_as_it_is(scrubber: Scrubber, typed: str) -> None:
    """Names of drugs, doses, slang and everyday words are what the editor needs."""
    assert scrubber.scrub(typed) == typed


def test_nearly_every_phrasing_of_the_base_stays_as_it_is(vetted: Vetted, scrubber: Scrubber) -> None:
    """Fewer than one in two hundred of the phrasings that the base itself knows loses a word."""
    entries = [*vetted.facts.values(), *vetted.known_errors.values()]
    asks = [ask for entry in entries for ask in entry.asks]
    changed = [ask for ask in asks if "[" in scrubber.scrub(ask)]
    assert len(asks) > 1000
    assert len(changed) < len(asks) / 200, changed[:20]


@given(st.text(max_size=200) | st.lists(st.sampled_from([t for t, _ in TAKEN_OUT]), max_size=4).map(" ".join))
def test_scrubbing_twice_changes_nothing(scrubber: Scrubber, text: str) -> None:
    """What the visitor was shown is what is stored."""
    once = scrubber.scrub(text)
    assert scrubber.scrub(once) == once


def test_a_long_text_is_scrubbed_quickly(scrubber: Scrubber) -> None:
    """No pattern takes exponential time: 2,000 hostile characters come back."""
    for piece in ("1 a ", "a.", "at dot ", "one ", "(5-", "a b c road ", "[name] ", "-"):
        assert isinstance(scrubber.scrub((piece * 2000)[:2000]), str)
