"""A visitor's words → the same words without e-mails, numbers, names, addresses and dates.

Runs offline. Shapes (an e-mail, a postcode) are patterns; names come from the name lists of Faker, twenty-odd languages
of them. In doubt a word goes: a lost word costs an editor a guess, a kept name may cost a patient. What no list and no
pattern knows stays, so the visitor is shown the exact words before anything is sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import chain

from knowledge.signing import Vetted
from knowledge.text import clean, normal, tokens

_LOCALES = (
    "cs_CZ", "de_DE", "en_GB", "en_IE", "en_IN", "en_KE", "en_NG", "en_NZ", "en_US", "es_ES", "es_MX", "fr_FR", "ga_IE",
    "ha_NG", "hr_HR", "id_ID", "ig_NG", "it_IT", "nl_NL", "pl_PL", "pt_BR", "ro_RO", "sv_SE", "tr_TR", "vi_VN", "yo_NG",
    "zu_ZA",
)  # fmt: skip
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_NOT_NAMED = r"(?!(?:the|a|an|on|of|in|at|to|my|mg|ml|pills?|drinks?|times|days?|weeks?|years?)\b)"
_ROAD = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|close|crescent|terrace|place|pl|square|"
    r"highway|hwy)"
)
_SPELLED = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)"

# In this order: what a later pattern would take apart comes first.
_SHAPES = (
    ("[link]", r"\b(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|co\.uk|ie|ca|io|me)/\S*"),
    ("[email]", r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)*"),
    (
        "[email]",
        r"\b[\w.+-]+ ?[(\[]? ?\bat\b ?[)\]]? ?[\w-]+ ?[(\[]? ?\bdot\b ?[)\]]? ?(?:com|org|net|edu|co|uk|ie|ca)\b",
    ),
    ("[name]", r"(?<![\w/])(?:@|u/)\w[\w.-]*"),
    ("[date]", r"\b(?:\d{4}([/.-])\d{1,2}\1\d{1,2}|\d{1,2}([/.-])\d{1,2}\2(?:\d{4}|\d\d))\b"),
    ("[date]", r"(?<=\bon )\d{1,2}/\d{1,2}\b|(?<=\bborn )\d{1,2}/\d{1,2}\b|(?<=\bsince )\d{1,2}/\d{1,2}\b"),
    ("[date]", rf"\b{_DAY}(?: of)? {_MONTH}(?:,? \d{{2,4}})?(?!\w)|\b{_MONTH} {_DAY}(?:,? \d{{4}})?(?!\w)"),
    ("[date]", rf"\b{_MONTH},? (?:19|20)\d\d\b|\b(?:19|20)\d\d\b(?! ?(?:mg|mcg|ml|g|iu|pills|times)\b)"),
    ("[address]", rf"\b\d{{1,6}}[a-z]?,? (?:{_NOT_NAMED}[\w'.-]+ ){{1,3}}{_ROAD}\b\.?"),
    ("[address]", r"\b(?:apt|apartment|flat|unit|suite|room|p\.?o\.? box)\.? ?#?\d+[a-z]?\b"),
    ("[address]", r"\b[a-z]{1,2}\d[a-z\d]? ?\d[abd-hjlnp-uw-z]{2}\b|\b[a-z]\d[a-z][ -]?\d[a-z]\d\b"),
    ("[address]", r"(?-i:\b[A-Z]\d[\dW] ?(?=[A-Z]*\d)[A-Z\d]{4}\b)"),
    ("[number]", r"(?<!\w)[+(]?\d(?:[\s().\-/]{0,3}\d){6,}"),
    ("[number]", r"\d{5,}"),
    ("[number]", rf"\b{_SPELLED}(?:[ -]{_SPELLED}){{4,}}\b"),
)
_PATTERNS = tuple((mark, re.compile(pattern, re.IGNORECASE)) for mark, pattern in _SHAPES)
_WORD = re.compile(r"\[[a-z]+\]|[^\W\d_]+(?:['-][^\W\d_]+)*")
_RUN = re.compile(r"(\[(?:name|place)\])(?:[ -]\1)+")
# Words after which a name or a place stands, whatever its letters are. The space is part of the cue.
_NAME_CUE = re.compile(
    r"(?:\b(?:names?(?:'s| is| was)|called|named|dr|doctor|mr|mrs|ms|miss|prof|professor|nurse|sister)\.? )$",
    re.IGNORECASE,
)
_KIN_CUE = re.compile(
    r"\b(?:friend|mate|wife|husband|partner|boyfriend|girlfriend|bf|gf|ex|mum|mom|mother|dad|father|son|daughter|brother|"
    r"sister|aunt|uncle|cousin|boss|this is|i am|i'm|im),? $",
    re.IGNORECASE,
)  # fmt: skip
_PLACE_CUE = re.compile(
    r"\b(?:live|living|lives|based|born|moved|work|working|works|from|school|staying)(?: (?:in|at|near|to|on))? $",
    re.IGNORECASE,
)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Return first and last names of many languages in lower case."""
    found: set[str] = set()
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        lists = (getattr(provider, field) for field in dir(provider) if field.startswith(("first_name", "last_name")))
        words = chain.from_iterable(names for names in lists if not callable(names))
        found |= {part for name in words for part in re.findall(_WORD, name.casefold())}
    return frozenset(found)


@dataclass(frozen=True)
class Scrubber:
    """Takes out of a text whatever could say who wrote it.

    Attributes:
        ordinary: words that vetted text uses, in lower case: no names, unless written or introduced as one.
        terms: words that name a drug, medicine or messenger: kept ("molly"), unless introduced as a person.

    """

    ordinary: frozenset[str]
    terms: frozenset[str]

    @classmethod
    def of(cls, vetted: Vetted) -> "Scrubber":
        """Return a scrubber that knows the words of the vetted base."""
        texts = chain(
            chain.from_iterable((f.question, f.answer, f.detail or "", *f.asks) for f in vetted.facts.values()),
            chain.from_iterable((e.claim, e.correction, *e.asks) for e in vetted.known_errors.values()),
            (n.text for n in vetted.notices.values()),
        )
        return cls(
            ordinary=frozenset(word for text in texts for word in tokens(normal(text))),
            terms=frozenset(word for surface in vetted.lexicon.surfaces for word in surface),
        )

    def scrub(self, text: str) -> str:
        """Return `text` with marks such as "[name]" and "[date]" in the place of what identifies. Idempotent."""
        text = clean(text)
        for mark, pattern in _PATTERNS:
            text = pattern.sub(mark, text)
        return _RUN.sub(r"\1", "".join(self._without_names(text)))

    def _without_names(self, text: str) -> Iterator[str]:
        at, last = 0, ""
        for found in _WORD.finditer(text):
            between = text[at : found.start()]
            word = found.group()
            last = self._mark(word, text[: found.start()], last if between in (" ", "-") else "")
            yield between + (last or word)
            at = found.end()
        yield text[at:]

    def _mark(self, word: str, before: str, last: str) -> str:
        """Return the mark that stands for `word`, or "" to keep it. `last`: the mark of the word just before it."""
        if word.startswith("["):
            return word if word in ("[name]", "[place]") else ""
        plain = word.casefold().removesuffix("'s")
        parts = set(plain.split("-")) | {plain}
        known = plain in self.ordinary or plain in self.terms
        titled = word[:1].isupper() and not (len(word) > 1 and word.isupper())
        named = bool(parts & _names())
        if last and not known and (titled or named or last == "[place]"):
            return last
        if _NAME_CUE.search(before) and not (known and not (titled and named)):
            return "[name]"
        if _KIN_CUE.search(before) and named and (titled or plain not in self.ordinary):
            return "[name]"
        if _PLACE_CUE.search(before) and not known:
            return "[place]"
        if plain in self.terms:
            return ""
        starts = not before.rstrip(" \"'(") or before.rstrip(" \"'(")[-1] in ".!?\n:"
        if named and (plain not in self.ordinary or (titled and not starts)):
            return "[name]"
        return "[name]" if titled and not starts and not known else ""
