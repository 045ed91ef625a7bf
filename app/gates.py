"""A visitor's own words → the gates that fire. Pure: no model, no index, no network, no clock.

The reviewed phrase books (`knowledge/phrases/`) hold phrases in a small grammar over normalised words:

    plain words      match themselves; apostrophes are dropped on both sides ("won't" is "wont")
    {person}         any member of the set of that name
    ~  and  ~~       up to three, up to seven words of the same sentence in between
    (a|b)  (a )?     alternatives and optional words, as in regular expressions
    ^  and  $        begin and end of the message

A phrase matches whole words. Sentences are kept apart, so a gap never reaches into the next one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.models import Signal
from knowledge.errors import KnowledgeError
from knowledge.schema import PhraseBook, Rule
from knowledge.text import normal, sentences, tokens


@dataclass(frozen=True)
class _Compiled:
    label: str
    always: re.Pattern[str] | None
    phrases: re.Pattern[str] | None
    unless: re.Pattern[str] | None

    def match(self, text: str) -> re.Match[str] | None:
        if self.always and (found := self.always.search(text)):
            return found
        if self.phrases and (found := self.phrases.search(text)):
            return None if self.unless and self.unless.search(text) else found
        return None


@dataclass(frozen=True)
class Gates:
    """The compiled phrase books: for each gate its rules, in the order of the book."""

    rules: Mapping[str, tuple[_Compiled, ...]]

    @classmethod
    def compile(cls, books: Iterable[PhraseBook]) -> "Gates":
        """Compile the phrase books; each gate stands in one of them.

        Raises:
            KnowledgeError: a phrase is not in the grammar, or names a set that its book lacks.

        """
        return cls(
            {
                gate: tuple(_compile(rule, book) for rule in rules)
                for book in books
                for gate, rules in book.gates.items()
            }
        )

    def signal(self, gate: str, text: str) -> Signal | None:
        """Return the first rule of `gate` that fires on `text` (as made by `spoken`), or None."""
        for rule in self.rules.get(gate, ()):
            if found := rule.match(text):
                return Signal(gate, rule.label, found.group().strip())
        return None


def spoken(text: str) -> str:
    """Return the words of `text` as the gates hear them: normal form, no apostrophes, sentences apart by " . "."""
    heard = (" ".join(tokens(sentence.replace("'", ""))) for sentence in sentences(normal(text)))
    return " . ".join(sentence for sentence in heard if sentence)


def _compile(rule: Rule, book: PhraseBook) -> _Compiled:
    sets = {name: f"(?:{'|'.join(map(_plain, words))})" for name, words in book.sets.items()}
    unless = (*rule.unless, *(phrase for group in book.unless.values() for phrase in group))
    return _Compiled(rule.label, _union(rule.always, sets), _union(rule.phrases, sets), _union(unless, sets))


def _union(phrases: tuple[str, ...], sets: Mapping[str, str]) -> re.Pattern[str] | None:
    if not phrases:
        return None
    return re.compile("|".join(f"(?<!\\S)(?:{_pattern(phrase, sets)})(?!\\S)" for phrase in phrases))


def _pattern(phrase: str, sets: Mapping[str, str]) -> str:
    try:
        pattern = _plain(phrase)
        while "{" in re.sub(r"\{\d", "", pattern):  # a set may name other sets
            pattern = re.sub(r"\{([a-z_]+)\}", lambda m: sets[m.group(1)], pattern)
        pattern = pattern.replace(" ~~ ", r" (?:\w\S* ){0,7}?").replace(" ~ ", r" (?:\w\S* ){0,3}?")
        re.compile(pattern)
    except (KeyError, re.error) as error:
        raise KnowledgeError(f"phrase {phrase!r} cannot be read ({error}): see the grammar in app/gates.py") from error
    return pattern


def _plain(phrase: str) -> str:
    return phrase.casefold().replace("'", "")
