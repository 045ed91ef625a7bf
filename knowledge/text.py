"""One normal form for vetted phrasings and visitors' words: Unicode, case, tokens, sentences."""

import re
import unicodedata

# Letters of other scripts that look like Latin ones; folded only inside words that also hold Latin letters, so that
# a message in Russian or Greek stays Russian or Greek.
_LOOKALIKES = str.maketrans(
    "авсԁеһіјкӏмнорԛгѕтцѵѡхуАВСЕНІЈКМОРЅТХУαβεικνορτυχγηωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abcdehijklmhopqrstuvwxyABCEHIJKMOPSTXYabeiknoptuxynwABEZHIKMNOPTYX",
)
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[a-zA-Z]")
_OTHER = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")


def clean(text: str) -> str:
    """Return `text` in NFKC without control, zero-width and bidirectional characters and with folded look-alikes.

    Line breaks survive, every other run of white space becomes one space. Idempotent.
    """
    text = unicodedata.normalize("NFKC", text)
    kept = (c if c == "\n" else " " if c.isspace() else c for c in text if c == "\n" or _visible(c))
    text = "".join(kept).translate(_TYPOGRAPHY)
    text = _WORD.sub(_fold_lookalikes, text)
    text = unicodedata.normalize("NFKC", text)
    return re.sub(r" ?\n ?", "\n", re.sub(r" +", " ", text)).strip()


def _visible(c: str) -> bool:
    return c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _fold_lookalikes(word: re.Match[str]) -> str:
    letters = word.group()
    if _LATIN.search(letters) and _OTHER.search(letters):
        return letters.translate(_LOOKALIKES)
    return letters


def normal(text: str) -> str:
    """Return `text` cleaned, in lower case and with stretched letters cut to two ("sooooo" → "soo"). Idempotent."""
    return _STRETCHED.sub(r"\1\1", clean(clean(text).casefold()))


def tokens(normal_text: str) -> tuple[str, ...]:
    """Return the words of a normal text in order; "5-ht2a" and "won't" are one word each."""
    return tuple(_TOKEN.findall(normal_text))


def plain(text: str) -> str:
    """Return the words of `text` in normal form, with single spaces."""
    return " ".join(tokens(normal(text)))


def sentences(text: str) -> tuple[str, ...]:
    """Split at sentence ends and line breaks; the pieces are exact substrings of `text`, stripped."""
    return tuple(s.strip() for s in _SENTENCE_END.split(text) if s and s.strip())
