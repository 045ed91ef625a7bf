"""Words of vetted texts → problems: unkind, unsafe, hard to read, surer than the source, or a known error."""

import re
from collections import defaultdict
from collections.abc import Iterator

import textstat

from knowledge.lexicon import Lexicon
from knowledge.schema import Fact, KnownError, Notice, Problem
from knowledge.scope import Scope
from knowledge.store import Entry
from knowledge.text import normal, sentences, tokens

MAX_SENTENCE_WORDS = 25
GRADE_ADVICE, GRADE_ERROR = 8.0, 10.0
MAX_ABSOLUTE = 2
UNFINISHED = "To be written"  # how a scaffold's text begins

_STIGMA = re.compile(
    r"\b(addicts?|junkies?|junky|abus(?:e|er|ers|ed|ing)(?! hotline)|alcoholics?(?! anonymous)|drug users?|crackheads?|"
    r"stoners?|drunks|a drunk(?! person| driver)|dirty|clean (?:urine|test|for)|got clean|habitual)\b",
    re.IGNORECASE,
)
_DOSE = re.compile(
    r"\b\d+(?:\.\d+)?\s?(?:mg|milligrams?|mcg|micrograms?|ml|milliliters?)\b|"
    r"\byou should (?:take|stop|start|try|use|mix|cut)\b|"
    r"(?:^|[.;:] )(?:take(?! care)|stop taking|start taking|try taking|mix|double|skip)\b",
    re.IGNORECASE,
)
# A food and a claim about serotonin in it, in one sentence, either way round: neither is ours to say.
_FOOD = re.compile(
    r"\b(?:fruits?|bananas?|pineapples?|dairy|milk|cheese|eggs?|turkey|nuts?|kiwis?|plums?|tomato(?:es)?|foods?)\b[^.]{0,60}"
    r"\b(?:contains?|rich in|full of|high in|sources? of|lacks?|has no|have no|without)\b[^.]{0,20}\bserotonin\b|"
    r"\bserotonin\b[^.]{0,30}\b(?:in|from)\b[^.]{0,20}\b(?:fruits?|bananas?|dairy|milk|cheese)\b",
    re.IGNORECASE,
)
_ABSOLUTE = re.compile(
    r"\b(?:always|never|all|every|only|cannot|impossible|guaranteed?|proven|completely|safe)\b", re.IGNORECASE
)


def finished(scope: Scope) -> Iterator[Problem]:
    """No scaffold's text is left."""
    for item in scope.texts():
        if item.text.startswith(UNFINISHED):
            yield scope.error(item.key, item.field, "unfinished", f"{item.field} is still to be written", "write it")


def kind_words(scope: Scope) -> Iterator[Problem]:
    """Vetted text is person-first."""
    for item in scope.texts():
        # A text about words has to name them; it quotes them.
        if found := _STIGMA.search(re.sub(r"[\"'“”‘’][^\"'“”‘’]+[\"'“”‘’]", "", item.text)):
            message = f"{item.field} says {found.group()!r}"
            yield scope.error(item.key, item.field, "stigma", message, "name the person first: see knowledge/README.md")


def no_instructions(scope: Scope) -> Iterator[Problem]:
    """Vetted text gives no dose and tells nobody to start, stop or mix anything."""
    for item in scope.texts():
        if found := _DOSE.search(item.text):
            message = f"{item.field} says {found.group().strip()!r}"
            mend = "state what is known; leave the act to the prescriber"
            yield scope.error(item.key, item.field, "instruction", message, mend)


def food_rule(scope: Scope) -> Iterator[Problem]:
    """No text says, or denies, that a food contains serotonin."""
    for item in scope.texts():
        for sentence in sentences(item.text):
            if (found := _FOOD.search(sentence)) and item.field != "why_wrong":
                message = f"{item.field} speaks of serotonin in food: {found.group()!r}"
                mend = "say what food does not do: it does not add serotonin to the brain"
                yield scope.error(item.key, item.field, "food", message, mend)


def short_sentences(scope: Scope) -> Iterator[Problem]:
    """No sentence has more than 25 words."""
    for item in scope.texts():
        for sentence in sentences(item.text):
            if (n := len(sentence.split())) > MAX_SENTENCE_WORDS:
                message = f"{item.field}: a sentence of {n} words: {sentence[:60]!r}"
                yield scope.error(item.key, item.field, "long-sentence", message, "split it")


def plain_words(scope: Scope) -> Iterator[Problem]:
    """Reading grade with entity names masked: advice above 8, error above 10."""
    for key, entry in scope.entries.items():
        text = whole_text(entry)
        grade = reading_grade(text, scope.base.lexicon) if text else 0.0
        if grade > GRADE_ADVICE:
            maker = scope.error if grade > GRADE_ERROR else scope.advice
            message = f"reads at grade {grade:.1f}; {GRADE_ADVICE:.0f} or less is plain"
            yield maker(key, _LEADS.get(type(entry), ""), "grade", message, "shorter sentences, everyday words")


_LEADS: dict[type[Entry], str] = {Fact: "answer", KnownError: "correction", Notice: "text"}


def whole_text(entry: Entry) -> str:
    """Return all a visitor reads of an entry at once; nothing for help lines, other languages and phrase books."""
    if isinstance(entry, Fact):
        return f"{entry.answer} {entry.detail or ''}"
    if isinstance(entry, KnownError):
        return entry.correction
    return entry.text if isinstance(entry, Notice) and entry.lang == "en" else ""


def reading_grade(text: str, lexicon: Lexicon) -> float:
    """Return the Flesch-Kincaid grade of `text` with every entity name replaced by a one-syllable word."""
    masked = []
    for sentence in sentences(text):
        words = tokens(normal(sentence))
        pieces, at = [], 0
        for mention in lexicon.find(words):
            pieces += [*words[at : mention.start], "thing"]
            at = mention.end
        masked.append(" ".join([*pieces, *words[at:]]) + ".")
    return float(textstat.flesch_kincaid_grade(" ".join(masked)))


def careful_words(scope: Scope) -> Iterator[Problem]:
    """Absolute words are rare and meant."""
    for item in scope.texts():
        found = _ABSOLUTE.findall(item.text)
        if len(found) > MAX_ABSOLUTE:
            message = f"{item.field} says {', '.join(found)}"
            yield scope.advice(item.key, item.field, "absolute", message, "keep only what the source supports exactly")


def no_known_error(scope: Scope) -> Iterator[Problem]:
    """No vetted sentence is, in canonical words, one that asserts a known error."""
    lexicon = scope.base.lexicon
    assertions: dict[str, list[str]] = defaultdict(list)
    for error in scope.base.known_errors.values():
        for sentence in (error.claim, *error.assertions):
            assertions[lexicon.canonical(sentence)].append(error.id)
    for item in scope.texts():
        for sentence in sentences(item.text):
            for error_id in assertions.get(lexicon.canonical(sentence), ()):
                message = f"{item.field} asserts the known error {error_id}: {sentence[:60]!r}"
                yield scope.error(item.key, item.field, "asserts-error", message, "state the fact instead")
