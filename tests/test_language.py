"""Other languages get a notice of their own; slang and typos are English."""

import pytest

from app.bot import Bot
from app.language import foreign
from knowledge.text import normal, tokens

FOREIGN = [
    ("¿qué es la serotonina y cómo funciona en el cerebro?", "es"),
    ("qu'est-ce que la sérotonine et comment ça marche dans le cerveau", "fr"),
    ("was ist serotonin und wie wirkt es im gehirn", "de"),
    ("o que é a serotonina e como ela funciona", "pt"),
    ("che cosa è la serotonina e come funziona", "it"),
    ("血清素是什么", "zh"),
    ("ما هو السيروتونين", "ar"),
    ("что такое серотонин", "ru"),
    ("τι είναι η σεροτονίνη", "other"),
    ("セロトニンとは何ですか", "other"),
]
ENGLISH = [
    "what is seratonin",
    "wut duz molly do 2 ur brain lol",
    "Is LSD a serotonin antagonist?",
    "coke + booze?",
    "no me",
    "ssri maoi snri tca",
    "die man was in den",
    "lexapro zoloft prozac celexa paxil effexor",
    "¿what is lsd?",
    "",
]


@pytest.mark.parametrize(("text", "language"), FOREIGN)
def test_a_foreign_message_is_recognised(bot: Bot, text: str, language: str) -> None:
    """By its letters or, in Latin letters, by its small words."""
    assert foreign(tokens(normal(text)), bot._known_words) == language


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_english_however_it_is_typed(bot: Bot, text: str) -> None:
    """Slang, brands, typos and short messages are never taken for another language."""
    assert foreign(tokens(normal(text)), bot._known_words) == ""


@pytest.mark.parametrize(("text", "language"), FOREIGN)
def test_the_visitor_reads_a_notice_in_that_language_with_help(bot: Bot, text: str, language: str) -> None:
    """No answer is guessed, and help lines are below."""
    reply = bot.reply(text)
    assert (reply.kind, reply.notice_ids[0]) == ("out_of_scope", f"language-{language}")
    assert len(reply.notice_ids) > 1
