"""Anything at all → clean text, or the reason why it is no question."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bot import Bot
from app.guard import Refused, guard
from knowledge.text import clean

LIMIT = 2000
REFUSED = {
    "empty": ("", "empty"),
    "blanks": (" \n\t ", "empty"),
    "punctuation": ("?!… 🙂", "empty"),
    "invisible": ("\u200b\u202e\u2060", "empty"),
    "null bytes": ("\x00" * 50, "empty"),
    "one too many": ("x" * 2001, "too-long"),
    "a megabyte": ("x" * 1_000_000, "too-long"),
    "a megabyte of nothing": ("\u200b" * 1_000_000, "too-long"),
    "grows when folded": ("\ufdfa" * 1000, "too-long"),
    "None": (None, "not-text"),
    "number": (3, "not-text"),
    "bytes": (b"what is lsd", "not-text"),
    "list": (["what is lsd"], "not-text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_question_is_refused_with_a_label(name: str) -> None:
    """The label selects the notice."""
    message, label = REFUSED[name]
    assert guard(message, LIMIT) == Refused(label)  # type: ignore[arg-type]


@pytest.mark.parametrize("message", ["x" * 2000, "what is LSD?", "\x00what is LSD?\x00", "что такое кокаин", "5"])
def test_what_may_be_a_question_is_cleaned(message: str) -> None:
    """Text at the limit, in any language, passes; null bytes are dropped."""
    assert guard(message, LIMIT) == clean(message)


@given(st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text())))
def test_nothing_breaks_the_guard(message: object) -> None:
    """Text within the limit or a label, never an exception."""
    found = guard(message, 100)
    assert isinstance(found, Refused) or 0 < len(found) <= 100


@pytest.mark.parametrize("name", REFUSED)
def test_the_visitor_reads_what_to_do(tiny: Bot, name: str) -> None:
    """A refusal is a signed notice of its own."""
    message, label = REFUSED[name]
    reply = tiny.reply(message)
    assert (reply.kind, reply.notice_ids) == ("invalid", (f"invalid-{label}",))


def test_a_hundred_megabytes_cost_no_more_than_a_page(tiny: Bot) -> None:
    """Long input is cut before it is looked at."""
    start = time.perf_counter()
    assert tiny.reply("i feel fine " * 9_000_000).kind == "invalid"
    assert time.perf_counter() - start < 2
