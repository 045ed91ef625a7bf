"""Knowledge base → problems: every rule an editor can break, each a small function, all reported at once."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

import textstat

from knowledge.lexicon import Lexicon
from knowledge.schema import Fact, KnownError, Notice, Problem
from knowledge.signing import holds, needs_second_review, standing
from knowledge.store import HOME, KnowledgeBase
from knowledge.text import normal, sentences, tokens

MIN_ASKS_FACT, MIN_ASKS_ERROR, MIN_EXAMPLES = 10, 12, 6
MAX_SENTENCE_WORDS = 25
GRADE_ADVICE, GRADE_ERROR = 8.0, 10.0
DUE_SOON = timedelta(days=60)

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


@dataclass(frozen=True)
class Text:
    """One sentence-bearing field of an entry: where it stands and whether a visitor reads it as vetted fact."""

    key: str
    field: str
    text: str


Check = Callable[[KnowledgeBase, date], Iterator[Problem]]


def check(base: KnowledgeBase, today: date, loading: Iterable[Problem] = ()) -> tuple[Problem, ...]:
    """Return all problems of `base` on `today`, those found while loading included, in file order."""
    found = chain(loading, *(rule(base, today) for rule in CHECKS))
    return tuple(sorted(found, key=lambda p: (str(p.file), p.line, p.code)))


def shown_texts(base: KnowledgeBase) -> Iterator[Text]:
    """Yield every text that a visitor can read as part of a reply."""
    for fact in base.facts.values():
        yield from (Text(f"fact:{fact.id}", f, t) for f, t in (("answer", fact.answer), ("detail", fact.detail)) if t)
    for error in base.known_errors.values():
        yield Text(f"error:{error.id}", "correction", error.correction)
        yield Text(f"error:{error.id}", "why_wrong", error.why_wrong)
    yield from (Text(f"notice:{n.id}", "text", n.text) for n in base.notices.values() if n.lang == "en")


def unknown_ids(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Every id that an entry refers to exists."""
    for key, entry in base.signable():
        if isinstance(entry, (Fact, KnownError)):
            for path, name, known in _references(entry, base):
                if name not in known:
                    yield _error(
                        base, key, path, "unknown-id", f"{path} names {name!r}, which no file has", "mend the id"
                    )
        for i, citation in enumerate(getattr(entry, "sources", ())):
            if citation.id not in base.sources:
                message = f"the source {citation.id!r} is not in sources.yaml"
                yield _error(base, key, f"sources.{i}", "unknown-source", message, "add it there or mend the id")
    for entity in base.entities.values():
        for broader in entity.broader:
            if broader not in base.entities:
                yield _error(
                    base, f"entity:{entity.id}", "broader", "unknown-id", f"no entity {broader!r}", "mend the id"
                )


def _references(entry: Fact | KnownError, base: KnowledgeBase) -> Iterator[tuple[str, str, Iterable[str]]]:
    yield from (("entities", e, base.entities) for e in entry.entities)
    yield from (("needs", e, base.entities) for group in entry.needs for e in group)
    if isinstance(entry, Fact):
        yield from (("related", r, base.facts) for r in entry.related)
        yield from (("corrects", c, base.known_errors) for c in entry.corrects)
    else:
        yield from (("facts", f, base.facts) for f in entry.facts)


def sign_offs(base: KnowledgeBase, today: date) -> Iterator[Problem]:
    """Every entry is signed, by another role than its author, and its review is not overdue."""
    for key, entry in base.signable():
        state = standing(entry, today)
        if entry.review and entry.review.by == entry.author:
            yield _error(
                base, key, "review", "own-review", f"{entry.author} wrote and signed it", "let another role sign"
            )
        elif state == "draft":
            why = "changed after it was signed" if entry.review else "not signed"
            yield _error(base, key, "review", "unsigned", f"{key} is {why}", "review it, then `knowledge sign`")
        elif state == "half-signed":
            message = f"{key} is high-risk and needs a second reviewer"
            yield _error(base, key, "second_review", "second-review", message, "let a third role sign with --second")
        elif state in ("overdue", "withheld") and entry.review:
            message = f"the review of {key} was due on {entry.review.due}"
            maker = _advice if state == "overdue" else _error
            yield maker(base, key, "review", "overdue", message, "review it again")
        elif entry.review and entry.review.due - today <= DUE_SOON:
            yield _advice(base, key, "review", "due-soon", f"due on {entry.review.due}", "plan the next review")


def enough_asks(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Facts have ten asks or more, known errors twelve and six examples on each side."""
    for fact in base.facts.values():
        if len(fact.asks) < MIN_ASKS_FACT:
            message = f"{len(fact.asks)} asks, {MIN_ASKS_FACT} needed"
            yield _error(base, f"fact:{fact.id}", "asks", "few-asks", message, "add phrasings people really type")
    for error in base.known_errors.values():
        wanted = (("asks", MIN_ASKS_ERROR), ("assertions", MIN_EXAMPLES), ("lookalikes", MIN_EXAMPLES))
        for field, least in wanted:
            if len(getattr(error, field)) < least:
                message = f"{len(getattr(error, field))} {field}, {least} needed"
                yield _error(base, f"error:{error.id}", field, "few-asks", message, "add more")


def repeated_asks(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """No two entries claim the same question, in canonical words."""
    lexicon = Lexicon(base.entities)
    seen: dict[str, tuple[str, str]] = {}
    for key, entry in base.signable():
        for ask in getattr(entry, "asks", ()):
            canonical = lexicon.canonical(ask)
            other, _text = seen.setdefault(canonical, (key, ask))
            if other != key:
                message = f"{ask!r} is also an ask of {other}"
                yield _error(base, key, "asks", "repeated-ask", message, "keep it where it is answered best")


def kind_words(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Vetted text is person-first."""
    for item in shown_texts(base):
        # A text about words has to name them; it quotes them.
        if found := _STIGMA.search(re.sub(r"[\"'“”‘’][^\"'“”‘’]+[\"'“”‘’]", "", item.text)):
            message = f"{item.field} says {found.group()!r}"
            yield _error(
                base, item.key, item.field, "stigma", message, "name the person first: see knowledge/README.md"
            )


def no_instructions(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Vetted text gives no dose and tells nobody to start, stop or mix anything."""
    for item in shown_texts(base):
        if found := _DOSE.search(item.text):
            message = f"{item.field} says {found.group().strip()!r}"
            yield _error(
                base,
                item.key,
                item.field,
                "instruction",
                message,
                "state what is known; leave the act to the prescriber",
            )


def food_rule(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """No text says, or denies, that a food contains serotonin."""
    for item in shown_texts(base):
        for sentence in sentences(item.text):
            if (found := _FOOD.search(sentence)) and item.field != "why_wrong":
                message = f"{item.field} speaks of serotonin in food: {found.group()!r}"
                mend = "say what food does not do: it does not add serotonin to the brain"
                yield _advice(base, item.key, item.field, "food", message, mend)


def short_sentences(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """No sentence has more than 25 words."""
    for item in shown_texts(base):
        for sentence in sentences(item.text):
            if (n := len(sentence.split())) > MAX_SENTENCE_WORDS:
                message = f"{item.field}: a sentence of {n} words: {sentence[:60]!r}"
                yield _error(base, item.key, item.field, "long-sentence", message, "split it")


def plain_words(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Reading grade with entity names masked: advice above 8, error above 10."""
    lexicon = Lexicon(base.entities)
    for key, text in _whole_texts(base):
        grade = reading_grade(text, lexicon)
        if grade > GRADE_ADVICE:
            maker = _error if grade > GRADE_ERROR else _advice
            yield maker(base, key, "", "grade", f"reads at grade {grade:.1f}", "shorter sentences, everyday words")


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


def careful_words(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Absolute words are rare and meant."""
    for item in shown_texts(base):
        found = _ABSOLUTE.findall(item.text)
        if len(found) > 2:
            message = f"{item.field} says {', '.join(found)}"
            yield _advice(base, item.key, item.field, "absolute", message, "keep only what the source supports exactly")


def sources_used(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Every source is cited somewhere."""
    cited = {c.id for _, entry in base.signable() for c in getattr(entry, "sources", ())}
    for source in base.sources.values():
        if source.id not in cited:
            yield _error(
                base, f"source:{source.id}", "id", "unused-source", f"nobody cites {source.id}", "cite or remove it"
            )


def claim_homes(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """Every audited claim has a home that exists; a wrong claim's home is a known error."""
    for audit in base.audits.values():
        for i, row in enumerate(audit.claims):
            path = f"claims.{i}"
            for name in (
                *(n for n in row.facts if n not in base.facts),
                *(n for n in row.errors if n not in base.known_errors),
            ):
                yield _error(
                    base, f"audit:{audit.article}", path, "unknown-id", f"{row.id}: no {name!r}", "mend the id"
                )
            if not (row.facts or row.errors or row.none):
                yield _error(
                    base,
                    f"audit:{audit.article}",
                    path,
                    "homeless",
                    f"{row.id} has no home",
                    "name a fact or known error",
                )
            if row.verdict in ("false", "unsupported") and not (row.errors or row.none):
                message = f"{row.id} is {row.verdict} and has no known error"
                yield _advice(
                    base, f"audit:{audit.article}", path, "no-error", message, "name the known error it belongs to"
                )


def errors_corrected(base: KnowledgeBase, _: date) -> Iterator[Problem]:
    """A known error's asks are not also claimed by the fact that repeats the error's wording as truth."""
    assertions: dict[str, list[str]] = defaultdict(list)
    for error in base.known_errors.values():
        for sentence in (error.claim, *error.assertions):
            assertions[normal(sentence).rstrip(".")].append(error.id)
    for item in shown_texts(base):
        for sentence in sentences(item.text):
            for error_id in assertions.get(normal(sentence).rstrip("."), ()):
                message = f"{item.field} asserts the known error {error_id}"
                yield _error(base, item.key, item.field, "asserts-error", message, "state the fact instead")


CHECKS: tuple[Check, ...] = (
    unknown_ids,
    sign_offs,
    enough_asks,
    repeated_asks,
    kind_words,
    no_instructions,
    food_rule,
    short_sentences,
    plain_words,
    careful_words,
    sources_used,
    claim_homes,
    errors_corrected,
)


def _whole_texts(base: KnowledgeBase) -> Iterator[tuple[str, str]]:
    for fact in base.facts.values():
        yield f"fact:{fact.id}", f"{fact.answer} {fact.detail or ''}"
    for error in base.known_errors.values():
        yield f"error:{error.id}", error.correction
    yield from ((f"notice:{n.id}", n.text) for n in base.notices.values() if isinstance(n, Notice) and n.lang == "en")


def _problem(base: KnowledgeBase, key: str, path: str, code: str, severity: str, message: str, mend: str) -> Problem:
    place = base.places.get(key)
    file = place.file if place else HOME
    line = place.line(path) if place else 1
    return Problem(code=code, severity=severity, file=file, line=line, message=message, mend=mend)  # type: ignore[arg-type]


def _error(base: KnowledgeBase, key: str, path: str, code: str, message: str, mend: str) -> Problem:
    return _problem(base, key, path, code, "error", message, mend)


def _advice(base: KnowledgeBase, key: str, path: str, code: str, message: str, mend: str) -> Problem:
    return _problem(base, key, path, code, "advice", message, mend)


def signed_counts(base: KnowledgeBase, today: date) -> dict[str, int]:
    """Return how many entries of each standing there are, and how many carry the second review they need."""
    counts: dict[str, int] = defaultdict(int)
    for _, entry in base.signable():
        counts[standing(entry, today)] += 1
        counts["twice reviewed"] += needs_second_review(entry) and holds(entry, entry.second_review)
    return dict(counts)
