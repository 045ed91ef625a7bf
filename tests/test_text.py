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
        ("what is cocаine", "what is cocaine"),  # one Cyrillic letter
        ("І want tο diе", "I want to die"),  # a Ukrainian І on its own, a Greek omicron, a Cyrillic е
        ("I dоn'т want tο live", "I don't want to live"),  # cut off by the apostrophe
        ("is 5-НТ serotonin", "is 5-HT serotonin"),
        ("ɑ drug, ϲocaine, vicοδin, սsе", "a drug, cocaine, vicodin, use"),
        ("что такое кокаин", "что такое кокаин"),  # all Cyrillic: a language, not a disguise
        ("а как же", "а как же"),  # Russian words of look-alikes among other Russian words
        ("τι είναι το lsd", "τι είναι το lsd"),
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


@given(st.text(st.sampled_from("aаοİßŉ'жı\n \x1c`"), max_size=40))
def test_folding_is_idempotent(text: str) -> None:
    """Also for the letters that change their number or their script on the way."""
    assert normal(normal(text)) == normal(text)
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_plain_text_takes_a_short_way_to_the_same_end(text: str) -> None:
    """ASCII is cleaned by other means than the rest; another last letter changes nothing but itself."""
    assert clean(f"{text}é") == clean(f"{text}e")[:-1] + "é"


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
