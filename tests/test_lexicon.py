"""Words → entities, on the real lexicon."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bot import Bot
from app.settings import Settings
from knowledge.lexicon import Lexicon, entities_of
from knowledge.schema import Entity
from knowledge.store import load
from knowledge.text import normal, tokens


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    """The lexicon that ships."""
    return Lexicon(load(Settings().knowledge_dir)[0].entities)


def named(lexicon: Lexicon, text: str) -> set[str]:
    """Return the ids of what a text names."""
    return set(entities_of(lexicon.find(tokens(normal(text)))))


@pytest.mark.parametrize(
    ("typed", "entity"),
    [
        ("what is seratonin", "serotonin"),
        ("is oxycotton addictive", "oxycodone"),
        ("metamfetamine and the brain", "methamphetamine"),
        ("does coke raise dopamine", "cocaine"),
        ("what does acid do to serotonin", "lsd"),
        ("NARCAN spray", "naloxone"),
        ("dopimine", "dopamine"),
        ("5HT2A receptors", "5-ht2a-receptor"),
        ("zolof and alcohol", "sertraline"),
    ],
)
def test_slang_brands_and_typos_name_the_thing(lexicon: Lexicon, typed: str, entity: str) -> None:
    """What people type is understood as what they mean."""
    assert entity in named(lexicon, typed)


@pytest.mark.parametrize(
    ("typed", "entity"),
    [
        ("can i drink diet coke", "cocaine"),
        ("what is the speed of light", "amphetamine"),
        ("what is the speed of light", "methamphetamine"),
        ("stomach acid after dinner", "lsd"),
        ("my mama is kind", "mdma"),
        ("the weather is serene", "serotonin"),
    ],
)
def test_ordinary_words_are_no_drugs(lexicon: Lexicon, typed: str, entity: str) -> None:
    """Slang counts only in company, and ordinary words are never taken for typos."""
    assert entity not in named(lexicon, typed)


def test_the_longest_name_wins_and_keeps_what_is_inside() -> None:
    """In "cocaine addiction" both the whole and the drug in it are named."""
    entities = (
        Entity(id="cocaine", name="cocaine", kind="drug"),
        Entity(id="addiction", name="addiction", kind="condition"),
        Entity(id="cocaine-addiction", name="cocaine addiction", kind="condition"),
    )
    mention, *others = Lexicon({e.id: e for e in entities}).find(("my", "cocaine", "addiction"))
    assert (mention.entity, mention.start, mention.end, others) == ("cocaine-addiction", 1, 3, [])
    assert set(mention.within) == {"cocaine", "addiction"}


def test_broader_things_are_followed_even_in_a_circle() -> None:
    """heroin → opioid → drug; a circle in the files does not hang."""
    entities = (
        Entity(id="heroin", name="heroin", kind="drug", broader=("opioid",)),
        Entity(id="opioid", name="opioid", kind="substance-class", broader=("heroin", "gone")),
    )
    assert Lexicon({e.id: e for e in entities}).ancestors("heroin") == {"heroin", "opioid"}


@given(st.lists(st.sampled_from(["lsd", "acid", "coke", "narcan", "what", "is", "seratonin", "serotonin"]), max_size=8))
def test_canonical_words_stay_as_they_are(tiny: Bot, words: list[str]) -> None:
    """Rewriting a rewritten question changes nothing, and mentions never overlap."""
    lexicon = tiny.vetted.lexicon
    canonical = lexicon.canonical(" ".join(words))
    assert lexicon.canonical(canonical) == canonical
    mentions = lexicon.find(tuple(words))
    assert all(a.end <= b.start for a, b in pairwise(mentions))
