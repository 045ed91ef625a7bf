"""One normal form for vetted phrasings and visitors' words: Unicode, case, tokens, sentences."""

import re
import unicodedata

# Letters of other scripts that look like Latin ones. They are folded inside words that also hold Latin letters
# ("cocаine"); and where at least half of the words are Latin, a word of nothing but such letters is folded, too ("І
# want", "5-НТ"). A message in Russian or Greek stays Russian or Greek.
_LOOKALIKES = str.maketrans(
    "авсԁеһіјкӏмнорԛгѕтцѵѡхуԝьпАВСԌЕНІЈКӀМНОРԚЅТѴХУԜαβεικνορτυχγηωςσδμϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϿօոսցհքյɑɡıȷʏɪɴʀ",
    "abcdehijklmhopqrstuvwxywbnABCGEHIJKIMHOPQSTVXYWabeiknoptuxynwcodujABEZHIKMNOPTYXCConughpjagijyinr",
)
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[a-zA-Z]")
_OTHER = re.compile(r"[\u0250-\u02af\u0370-\u03ff\u0400-\u052f\u0531-\u058fıȷ]")
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_ASCII_SPACE = re.compile(r"[^\S\n]+")
_AROUND_BREAK = re.compile(r" ?\n ?")


def clean(text: str) -> str:
    """Return `text` in NFKC without control, zero-width and bidirectional characters and with folded look-alikes.

    Line breaks survive, every other run of white space becomes one space. Idempotent.
    """
    if text.isascii():  # nearly every text; the rest of this function would come to the same, ten times slower
        text = _ASCII_CONTROL.sub("", text).replace("`", "'")
    else:
        text = unicodedata.normalize("NFKC", text)
        text = "".join(c for c in text if _visible(c)).translate(_TYPOGRAPHY)
        text = unicodedata.normalize("NFKC", _folded(text))
    return _AROUND_BREAK.sub("\n", _ASCII_SPACE.sub(" ", text)).strip()


def _visible(c: str) -> bool:
    return c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _folded(text: str) -> str:
    words = _WORD.findall(text)
    latin = sum(bool(_LATIN.search(word)) for word in words)
    other = sum(bool(_OTHER.search(word) and not _LATIN.search(word)) for word in words)

    def fold(word: re.Match[str]) -> str:
        letters = word.group()
        if not _OTHER.search(letters):
            return letters
        plain = letters.translate(_LOOKALIKES)
        return plain if _LATIN.search(letters) or (plain.isascii() and latin >= other) else letters

    return _WORD.sub(fold, text)


def normal(text: str) -> str:
    """Return `text` cleaned, in lower case and with stretched letters cut to two ("sooooo" → "soo"). Idempotent."""
    small = clean(text).casefold()
    return _STRETCHED.sub(r"\1\1", small if small.isascii() else clean(small))


def tokens(normal_text: str) -> tuple[str, ...]:
    """Return the words of a normal text in order; "5-ht2a" and "won't" are one word each."""
    return tuple(_TOKEN.findall(normal_text))


def plain(text: str) -> str:
    """Return the words of `text` in normal form, with single spaces."""
    return " ".join(tokens(normal(text)))


def sentences(text: str) -> tuple[str, ...]:
    """Split at sentence ends and line breaks; the pieces are exact substrings of `text`, stripped."""
    return tuple(s.strip() for s in _SENTENCE_END.split(text) if s and s.strip())
