"""Which language a message is in, as far as the guide must know: English, or the notice to show instead.

Other scripts are told by their letters. Languages in Latin letters are told by function words, and only where the
words are mostly not English: slang, typos and drug names must never be taken for a foreign language.
"""

import re

from knowledge.lexicon import is_english

_SCRIPTS = (
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("other", re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")),  # Japanese, Korean
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("other", re.compile(r"[\u0370-\u03ff\u0590-\u05ff\u0900-\u0dff\u0e00-\u0e7f\u1200-\u137f]")),
)
_FUNCTION_WORDS = {
    "es": "el la los las que de en un una es por para con como mi se puedo puede qué cómo cuánto muy pero estoy tengo "
    "hay del al si más está son esto cuál porque "
    "droga drogas cerebro quiero ayuda no yo me ha tomado",
    "fr": "le la les que de un une est pour avec comment quoi je mon ma mes il elle nous vous pas sur dans du des au "
    "c'est qu'est-ce "
    "ce suis ai très mais peut quel quelle pourquoi drogue cerveau j'ai veux l'alcool d'alcool et est-ce quels",
    "de": "der die das und "
    "ist ich nicht wie was ein eine mit für von zu mein meine kann wird sind auf im den es hat "
    "warum welche sehr aber bin habe drogen gehirn hilfe gegen macht wirkt man bei oder",
    "pt": "o a os as que de em um uma é por para com como meu minha se posso pode não muito mas estou tenho do da no "
    "na isso qual porque droga drogas cérebro quero ajuda eu são mais ele ela tomou",
    "it": "il lo la gli che di un una è per con come mio mia non posso può sono questo quale perché molto ma del della "
    "nel droga cervello aiuto voglio cosa si ho mi",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_MIN_WORDS = 3
_MIN_FUNCTION_SHARE = 0.3


def foreign(words: tuple[str, ...], known: frozenset[str]) -> str:
    """Return "" for English, else "es", "fr", "de", "pt", "it", "zh", "ar", "ru" or "other".

    Args:
        words: normalised tokens of the message.
        known: further words that count as English here: names, slang and medicines of the lexicon.

    """
    text = "".join(words)
    if not text:
        return ""
    for language, letters in _SCRIPTS:
        if len(letters.findall(text)) > len(text) / 3:
            return language
    if len(words) < _MIN_WORDS:
        return ""
    english = sum(is_english(w) or w in known or w.isdigit() for w in words) / len(words)
    votes = {language: sum(w in own for w in words) / len(words) for language, own in _WORDS.items()}
    best = max(votes, key=lambda language: votes[language])
    own_words = sum(w in _WORDS[best] and not _plain_english(w) for w in words)
    if votes[best] >= _MIN_FUNCTION_SHARE and own_words >= 2 and english < 0.85:
        return best
    return "other" if english < 0.2 and len(words) >= 6 else ""


def _plain_english(word: str) -> bool:
    return word in {
        "no",
        "me",
        "a",
        "as",
        "in",
        "on",
        "is",
        "an",
        "die",
        "man",
        "so",
        "do",
        "was",
        "has",
        "he",
        "or",
        "si",
    }
