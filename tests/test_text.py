"""The one normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.text import clean, normal, sentences, tokens


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("  what   is\tLSD ", "what is LSD"),
        ("cocaine\u200b and\u00ad dopa\u2060mine", "cocaine and dopamine"),
        ("\u202eevil\u202c text", "evil text"),
        ("ＬＳＤ ﬁrst ²", "LSD first 2"),
        ("cосаine", "cocaine"),  # Cyrillic о, с, а among Latin letters
        ("что такое кокаин", "что такое кокаин"),  # all Cyrillic: a language, not a disguise
        ("I can’t “sleep” – help", 'I can\'t "sleep" - help'),
        ("one \n two", "one\ntwo"),
        ("null\x00byte", "nullbyte"),
        ("\ud800half a character", "half a character"),
        ("", ""),
    ],
)
def test_clean_removes_what_cannot_be_seen(typed: str, expected: str) -> None:
    """Invisible characters, wide letters, look-alikes and typographic marks fold to what was meant."""
    assert clean(typed) == expected


@pytest.mark.parametrize(
    ("typed", "expected"), [("HELP", "help"), ("sooooo good", "soo good"), ("good 1000000", "good 1000000")]
)
def test_normal_is_small_letters_without_stretching(typed: str, expected: str) -> None:
    """Shouting and stretched letters fold; numbers keep their zeros."""
    assert normal(typed) == expected


@given(st.text(max_size=200))
def test_clean_and_normal_are_idempotent(text: str) -> None:
    """A normal form of a normal form is itself."""
    assert clean(clean(text)) == clean(text)
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the 5-ht2a receptor", ("the", "5-ht2a", "receptor")),
        ("i won't -- stop!", ("i", "won't", "stop")),
        ("snake_case, a/b", ("snake", "case", "a", "b")),
        ("?!…", ()),
    ],
)
def test_tokens_keep_hyphens_and_apostrophes_inside_words(text: str, expected: tuple[str, ...]) -> None:
    """Receptor names and negations stay whole."""
    assert tokens(text) == expected


@given(st.text(alphabet="ab .!?\n\"'", max_size=80))
def test_sentences_are_exact_pieces_of_the_text_in_order(text: str) -> None:
    """Nothing is changed and nothing is moved; only ends are stripped."""
    at = 0
    for sentence in sentences(text):
        at = text.index(sentence, at) + len(sentence)
        assert sentence == sentence.strip() != ""
