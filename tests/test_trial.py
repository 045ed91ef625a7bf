"""What visitors would read once a draft is signed, without signing or writing anything."""

from pathlib import Path

import pytest

from app.bot import Bot
from app.trial import asked, neighbours, with_draft
from knowledge.schema import Fact, KnownError
from tests import fakes

DRAFT = Fact.model_validate(
    fakes.COCAINE
    | {
        "id": "cocaine-and-sleep",
        "question": "Does cocaine keep people awake?",
        "answer": "Cocaine keeps people awake for some hours.",
        "asks": ["does cocaine keep people awake", "can you sleep on cocaine tonight"],
    }
)


@pytest.fixture
def bot(home: Path, tmp_path: Path) -> Bot:
    """A bot of this test's own."""
    return fakes.bot_of(home, tmp_path / "index")


def test_a_visitor_would_read_the_draft(bot: Bot) -> None:
    """The draft's words then; not its words now, and nothing is left in the serving bot."""
    after = with_draft(bot, DRAFT, fakes.TODAY)
    (pair,) = asked(bot, after, ("does cocaine keep people awake",))
    assert DRAFT.id not in pair.now.fact_ids
    assert pair.then.fact_ids == (DRAFT.id,)
    assert DRAFT.answer in pair.then.text
    assert DRAFT.id not in bot.vetted.facts


def test_other_questions_keep_their_answers(bot: Bot) -> None:
    """And a crisis stays a crisis."""
    after = with_draft(bot, DRAFT, fakes.TODAY)
    for question in ("how does lsd act on serotonin", "i want to die", "does lsd block serotonin"):
        assert after.reply(question).pieces == bot.reply(question).pieces


def test_a_new_wording_takes_the_place_of_the_old_one(bot: Bot) -> None:
    """The same id is there once."""
    reworded = Fact.model_validate(fakes.LSD | {"answer": "LSD switches serotonin receptors on in the brain."})
    after = with_draft(bot, reworded, fakes.TODAY)
    assert reworded.answer in after.reply("how does lsd act on serotonin").text


def test_a_known_error_can_be_tried_too(bot: Bot) -> None:
    """Its correction is what a visitor would read."""
    error = KnownError.model_validate(fakes.LSD_ERROR | {"correction": "LSD turns serotonin receptors on, in truth."})
    after = with_draft(bot, error, fakes.TODAY)
    assert error.correction in after.reply(error.asks[0]).text


def test_neighbours_are_the_nearest_entries_and_never_the_draft(bot: Bot) -> None:
    """An editor sees what the draft could be taken for."""
    found = neighbours(bot, DRAFT)
    assert found[0][0] == f"fact:{fakes.COCAINE['id']}"
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
    assert f"fact:{fakes.LSD['id']}" not in [key for key, _ in neighbours(bot, Fact.model_validate(fakes.LSD))]
