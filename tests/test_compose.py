"""Ids → signed text, at the very last moment."""

import pytest

from app.bot import Bot
from app.compose import compose, title
from app.models import KINDS, Decision
from knowledge.errors import UnsignedTextError
from tests import fakes

LSD, ERROR = f"fact:{fakes.LSD['id']}", f"error:{fakes.LSD_ERROR['id']}"


def test_pieces_are_the_texts_of_the_ids_in_order(tiny: Bot) -> None:
    """Answer, detail, correction and notice, each whole, with the sources of each fact."""
    decision = Decision("correction", (ERROR, LSD, "notice:partly-covered"), offers=(LSD,))
    reply = compose(decision, tiny.vetted, "us")
    assert [piece.text for piece in reply.pieces] == [
        fakes.LSD_ERROR["correction"],
        fakes.LSD["answer"],
        fakes.LSD["detail"],
        fakes.NOTICES["partly-covered"],
    ]
    assert [note.for_id for note in reply.citations] == [ERROR, LSD]
    assert [offer.title for offer in reply.related] == [fakes.LSD["question"]]
    assert (reply.fact_ids, reply.error_ids) == ((fakes.LSD["id"],), (fakes.LSD_ERROR["id"],))


@pytest.mark.parametrize(
    "key",
    ["fact:gone", "error:gone", "notice:gone", "help:gone", "nonsense", "", "fact:../../etc/passwd", "phrases:crisis"],
)
def test_an_id_without_signed_text_is_refused(tiny: Bot, key: str) -> None:
    """Nothing is made up for an id that nobody signed."""
    with pytest.raises(UnsignedTextError):
        compose(Decision("answer", (key,)), tiny.vetted, "us")


@pytest.mark.parametrize("country", ["us", "international", "atlantis"])
@pytest.mark.parametrize(
    "decision",
    [
        Decision("crisis", ("notice:crisis-suicide",)),
        Decision("answer", (LSD,), care=True),
        Decision("out_of_scope", ("notice:trouble",)),
        Decision("out_of_scope", ("notice:language-es",)),
    ],
    ids=lambda d: d.ids[0] if isinstance(d, Decision) else d,
)
def test_help_lines_stand_below_what_needs_them(tiny: Bot, decision: Decision, country: str) -> None:
    """In every country, known or not, there is a line to reach."""
    reply = compose(decision, tiny.vetted, country)
    prefix = "us-" if country == "us" else "int-"
    lines = [piece.id for piece in reply.pieces if piece.id.startswith("help:")]
    assert lines
    assert all(line.startswith(f"help:{prefix}") for line in lines)


def test_an_answer_that_needs_no_help_has_none(tiny: Bot) -> None:
    """Help lines below every reply would teach people to overlook them."""
    assert not [p for p in compose(Decision("answer", (LSD,)), tiny.vetted, "us").pieces if p.id.startswith("help:")]


def test_every_crisis_notice_of_the_real_base_gets_an_emergency_line_in_every_country(bot: Bot) -> None:
    """Whatever the alarm and wherever the visitor, an emergency line and one more are there."""
    labels = [key for key in bot.vetted.notices if key.startswith("crisis-")]
    assert len(labels) > 10
    for country in bot.vetted.countries:
        for label in labels:
            reply = compose(Decision("crisis", (f"notice:{label}",)), bot.vetted, country)
            kinds = {bot.vetted.help_lines[name].kind for name in reply.notice_ids[1:]}
            assert "emergency" in kinds, (country, label)
            assert len(kinds) > 1, (country, label)


def test_titles_are_the_signed_questions_and_claims(tiny: Bot) -> None:
    """A notice has no title."""
    assert title(LSD, tiny.vetted) == fakes.LSD["question"]
    assert title(ERROR, tiny.vetted) == fakes.LSD_ERROR["claim"]
    with pytest.raises(UnsignedTextError):
        title("notice:care", tiny.vetted)


def test_replies_are_of_the_eight_kinds_and_nothing_else(bot: Bot) -> None:
    """The contract names the kinds that others build on."""
    assert set(KINDS) == {
        *("answer", "correction", "crisis", "refer"),
        *("out_of_scope", "clarify", "greeting", "invalid"),
    }
    texts = ("hi", "what is serotonin", "", "why", "weather in paris", "should i stop my meds", "i want to kill myself")
    assert {bot.reply(text).kind for text in texts} <= set(KINDS)
