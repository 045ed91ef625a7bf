"""A visitor's own words → the gates that fire. Pure: no model, no index, no network, no clock.

The reviewed phrase books (`knowledge/phrases/`) hold phrases in a small grammar over normalised words:

    plain words      match themselves; apostrophes are dropped on both sides ("won't" is "wont")
    {person}         any member of the set of that name
    ~  and  ~~       up to three, up to seven words of the same sentence in between
    (a|b)  (a )?     alternatives and optional words, as in regular expressions
    a & b            both, anywhere in the message and in either order
    ^  and  $        begin and end of the message

A phrase matches whole words. Sentences are kept apart, so a gap never reaches into the next one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import re2

from app.models import Signal
from knowledge.errors import KnowledgeError
from knowledge.schema import PhraseBook, Rule
from knowledge.text import normal, sentences, tokens

# RE2 searches thousands of phrases at once, in time linear in the message, but has no look-around. It is asked first,
# with the look-arounds left out; the few phrases it finds are then tried by Python's engine.
_SIEVE = re2.Options()
_SIEVE.max_mem = 1 << 29
_SIEVE.log_errors = False
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_SET = re.compile(r"\{([a-z_]+)\}")
_MOST_NESTED = 10  # sets that name sets that name sets …; the books that ship nest four deep
WINDOW = 4_000  # characters that are heard at once
_OVERLAP = 400
_MOST_HEARD = 1_100_000
_KEPT = 1024  # compiled groups of phrases; the books that ship have about a hundred


class _Phrases:
    """Phrases of one kind. A phrase is one or more expressions that must all be found ("a & b")."""

    def __init__(self, phrases: tuple[str, ...], sets: Mapping[str, str]) -> None:
        self._parts = [[_pattern(part, sets) for part in phrase.split(" & ")] for phrase in phrases]
        self._compiled: dict[int, list[re.Pattern[str]]] = {}
        self._sieve = re2.Set.SearchSet(_SIEVE)
        for first, *_ in self._parts:
            self._sieve.Add(f"(?:^| )(?:{_without_look_around(first)})(?: |$)")
        self._sieve.Compile()

    def match(self, text: str) -> str:
        """Return the words that a phrase matched, or ""."""
        for number in sorted(self._sieve.Match(text) or ()) if self._parts else ():
            found = [part.search(text) for part in self._exact(number)]
            if all(found):
                return " … ".join(match.group().strip() for match in found if match) or "…"
        return ""

    def _exact(self, number: int) -> list[re.Pattern[str]]:
        if number not in self._compiled:
            self._compiled[number] = [re.compile(f"(?<!\\S)(?:{part})(?!\\S)") for part in self._parts[number]]
        return self._compiled[number]


def _without_look_around(pattern: str) -> str:
    """Return `pattern` without its (?=…), (?!…), (?<=…) and (?<!…) groups: it matches at least as much."""
    kept, at = [], 0
    for start in _LOOK_AROUND.finditer(pattern):
        if start.start() < at:
            continue  # inside a group that is already left out
        kept.append(pattern[at : start.start()])
        depth, at = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(pattern[at], 0)
            at += 1
    return "".join([*kept, pattern[at:]])


@dataclass(frozen=True)
class _Compiled:
    label: str
    always: _Phrases
    phrases: _Phrases
    unless: _Phrases

    def match(self, text: str) -> str:
        if found := self.always.match(text):
            return found
        if (found := self.phrases.match(text)) and not self.unless.match(text):
            return found
        return ""


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
                return Signal(gate, rule.label, found)
        return None

    def anywhere(self, gate: str, text: str) -> Signal | None:
        """Return the first rule of `gate` that fires in a message of any length, or None.

        The message is heard in overlapping windows, so that time grows with its length and no faster, each as words
        and as it was typed. Of more than a megabyte both ends are heard.
        """
        for part in dict.fromkeys(_windows(text)):
            # ^ and $ mean the ends of the message, so a window that is cut there gets a sentence mark.
            before, after = "" if text.startswith(part) else ". ", "" if text.endswith(part) else " ."
            typed = " ".join(part.encode("utf-8", "ignore").decode().lower().split())
            for words in (spoken(part), typed):
                if signal := self.signal(gate, f"{before}{words}{after}"):
                    return signal
        return None


def _windows(text: str) -> Iterator[str]:
    if len(text) > _MOST_HEARD:
        text = f"{text[: _MOST_HEARD // 2]}\n{text[-_MOST_HEARD // 2 :]}"
    yield from (text[start : start + WINDOW] for start in range(0, max(len(text) - _OVERLAP, 1), WINDOW - _OVERLAP))


def spoken(text: str) -> str:
    """Return the words of `text` as the gates hear them: normal form, no apostrophes, sentences apart by " . "."""
    heard = (" ".join(tokens(sentence.replace("'", ""))) for sentence in sentences(normal(text)))
    return " . ".join(sentence for sentence in heard if sentence)


def _compile(rule: Rule, book: PhraseBook) -> _Compiled:
    sets = tuple((name, f"(?:{'|'.join(map(_plain, words))})") for name, words in book.sets.items())
    unless = (*rule.unless, *(phrase for group in book.unless.values() for phrase in group))
    return _Compiled(rule.label, *(_phrases(group, sets) for group in (rule.always, rule.phrases, unless)))


@lru_cache(maxsize=_KEPT)
def _phrases(phrases: tuple[str, ...], sets: tuple[tuple[str, str], ...]) -> _Phrases:
    """Compile once what several rules share, and what a changed base has in common with the one before it."""
    return _Phrases(phrases, dict(sets))


def _pattern(phrase: str, sets: Mapping[str, str]) -> str:
    try:
        pattern = _expanded(_plain(phrase), sets)
        pattern = re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)  # nothing is captured: faster
        pattern = pattern.replace(" ~~ ", r" (?:[^ .]\S* ){0,7}?").replace(" ~ ", r" (?:[^ .]\S* ){0,3}?")
        # RE2 reads a pattern ten times as fast, and a thousand are read at start; only it knows no look-around.
        if _LOOK_AROUND.search(pattern):
            re.compile(pattern)
        else:
            re2.compile(pattern, _SIEVE)
    except (ValueError, re.error, re2.error) as error:
        raise KnowledgeError(f"phrase {phrase!r} cannot be read ({error}): see the grammar in app/gates.py") from error
    return pattern


def _expanded(pattern: str, sets: Mapping[str, str]) -> str:
    """Put sets in place of their names.

    Raises:
        ValueError: a set is not there, names itself, or a brace belongs to no name.

    """
    for _ in range(_MOST_NESTED):
        named = set(_SET.findall(pattern))
        if not named:
            break
        if missing := sorted(named - set(sets)):
            raise ValueError(f"no set is called {missing[0]}")
        pattern = _SET.sub(lambda match: sets[match.group(1)], pattern)
    else:
        raise ValueError(f"its sets name each other more than {_MOST_NESTED} deep")
    if re.search(r"\{(?!\d)", pattern):
        raise ValueError("a brace that opens neither a set nor a count")
    return pattern


def _plain(phrase: str) -> str:
    return phrase.casefold().replace("'", "")
