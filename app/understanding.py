"""A message and the turns before it → standalone questions in canonical words, with the entities they name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.metrics import timed
from app.models import Question, Turn
from knowledge.lexicon import Lexicon, Mention, entities_of
from knowledge.text import normal, sentences, tokens

MAX_PARTS = 3
# What a conversation is about. A message that names one of these stands on its own.
_TOPICAL = frozenset({"drug", "medicine", "messenger", "substance-class", "condition", "treatment", "food", "receptor"})
_FOLLOW_UP = re.compile(r"^(and|what about|how about|but|so|also|ok(ay)?( and)?|then|or)\b")
_SWAP = re.compile(r"^(and|or|what about|how about|ok and|okay and|same (for|with)|and (what about|with|for|in))\b")
_POINTS_BACK = frozenset(
    [
        "it",
        "its",
        "it's",
        "this",
        "that",
        "those",
        "these",
        "they",
        "them",
        "their",
        "he",
        "she",
        "him",
        "her",
        "there",
        "one",
        "ones",
    ]
)
_ORDINALS = {"first": 0, "1": 0, "1st": 0, "one": 0, "second": 1, "2": 1, "2nd": 1, "two": 1, "third": 2, "3": 2}
_ORDINALS |= {"3rd": 2, "three": 2, "fourth": 3, "4": 3, "4th": 3, "four": 3, "last": -1}
_CHOICE = re.compile(
    r"^(the |option |number |no |yes |i mean |i meant )*"
    r"(first|second|third|fourth|last|1st|2nd|3rd|4th|one|two|three|four|[1-4])( one| option| question)?( please)?$"
)
_MORE = re.compile(
    r"^((can|could) you |please )?"
    r"(tell me more|more( info(rmation)?| details?| please)?|go on|continue|keep going|explain( more| further)?|"
    r"say more|elaborate|what else|anything else)( about (it|that|this))?( please)?$"
)
_SOURCE = re.compile(
    r"^(and )?(whats? (is |are )?(the |your )?)?(sources?|references?|citations?|evidence|proof)"
    r"( please| for (that|this))?$|"
    r"^(where|how) (did|do|does) (you|u|this|that) (get|know|come)( that| this| it| from)*$|"
    r"^(can you |please )?(cite|show)( me)? (the |your |that )?(sources?|evidence)?$|"
    r"^says who$|^who says( so| that)?$"
)
_INSISTS = re.compile(
    r"^(are you sure|really|no way|thats? (is )?(wrong|not true|not right|false)|youre wrong|you are wrong|"
    r"i dont believe (you|that|it)|no( it)? (isnt|doesnt|is not)|wrong|that cant be right)\b"
)
_SHORT = 6  # words; a message this short that names no topic leans on what was said before
_JOINTS = re.compile(
    r"\s+(?:and also|and|also|plus)\s+(?=(?:what|why|how|is|are|does|do|can|which|who|when|where|will)\b)"
)


@dataclass(frozen=True)
class Understood:
    """A message, taken apart.

    Attributes:
        questions: one to three standalone questions, in the visitor's order.
        dropped: whether parts beyond the third were left out.
        follow_up: "", or how the message leans on the turns before: "resolved", "chosen", "more", "source", "insists",
            "lost" (it leans on something that is not there).

    """

    questions: tuple[Question, ...]
    dropped: bool = False
    follow_up: str = ""


@dataclass(frozen=True)
class _Topic:
    """What the conversation is about so far: the last standalone question."""

    canonical: str
    entities: tuple[str, ...]


@timed("understand")
def understand(text: str, history: Sequence[Turn], lexicon: Lexicon) -> Understood:
    """Return the standalone questions in `text` (cleaned), seen against the earlier turns, newest last."""
    words = tokens(normal(text))
    plain = " ".join(words).replace("'", "")
    if pointed := _pointed(plain, history):
        return pointed
    topic = _topic(history, lexicon)
    parts = _parts(text)
    questions = tuple(_standalone(part, topic, lexicon) for part in parts[:MAX_PARTS])
    follow_up = (
        "resolved" if any(q.canonical != lexicon.canonical(p) for q, p in zip(questions, parts, strict=False)) else ""
    )
    if _INSISTS.match(plain) and len(words) <= _SHORT + 4:
        follow_up = "insists"
    if topic is None and len(words) <= _SHORT and not _names_topic(questions[0].entities, lexicon):
        # "and that one?" leans on something that is not there; "who won the world cup" is a question of its own
        follow_up = "lost" if _FOLLOW_UP.match(plain) or not _POINTS_BACK.isdisjoint(words[:3]) else follow_up
    return Understood(questions, dropped=len(parts) > MAX_PARTS, follow_up=follow_up)


def _pointed(plain: str, history: Sequence[Turn]) -> Understood | None:
    """Recognise "the second one", "tell me more" and "source?"."""
    last = history[-1] if history else None
    if (choice := _CHOICE.match(plain)) and last and last.offered:
        place = _ORDINALS[choice.group(2)]
        if -len(last.offered) <= place < len(last.offered):
            return _points_at((last.offered[place],), plain, "chosen")
    if _MORE.match(plain):
        return _points_at(_unseen(history), plain, "more") if last else _points_at((), plain, "lost")
    if _SOURCE.match(plain):
        shown = next((turn.shown for turn in reversed(history) if turn.shown), ())
        return _points_at(shown, plain, "source" if shown else "lost")
    if last and last.shown and _INSISTS.match(plain) and len(plain.split()) <= _SHORT:
        return _points_at(last.shown, plain, "insists")
    return None


def _points_at(ids: tuple[str, ...], plain: str, follow_up: str) -> Understood:
    return Understood((Question(tuple(plain.split()), plain, plain, pointed=ids),), follow_up=follow_up)


def _unseen(history: Sequence[Turn]) -> tuple[str, ...]:
    """Return the first question offered last time that was not shown yet, if any."""
    seen = {key for turn in history for key in turn.shown}
    return tuple(key for key in history[-1].offered if key not in seen)[:1]


def _topic(history: Sequence[Turn], lexicon: Lexicon) -> _Topic | None:
    topic: _Topic | None = None
    for turn in history:
        question = _standalone(turn.user, topic, lexicon)
        if _names_topic(question.entities, lexicon):
            topic = _Topic(question.canonical, question.entities)
    return topic


def _standalone(text: str, topic: _Topic | None, lexicon: Lexicon) -> Question:
    words = tokens(normal(text))
    mentions = lexicon.find(words)
    canonical = lexicon.rewrite(words, mentions)
    entities = entities_of(mentions)
    plain = " ".join(words).replace("'", "")
    if topic is None or not _leans(plain, words, mentions, lexicon):
        return Question(words, canonical, " ".join(words), mentions, entities)
    if _names_topic(entities, lexicon):
        return _swapped(words, mentions, topic, lexicon)
    return _carried(words, mentions, entities, canonical, topic, lexicon)


def _leans(plain: str, words: tuple[str, ...], mentions: tuple[Mention, ...], lexicon: Lexicon) -> bool:
    """Return whether a message leans on what was said before it."""
    if _names_topic(entities_of(mentions), lexicon):
        return bool(_SWAP.match(plain)) and len(words) <= _SHORT
    return bool(_FOLLOW_UP.match(plain)) or len(words) <= _SHORT or not _POINTS_BACK.isdisjoint(words)


def _swapped(words: tuple[str, ...], mentions: tuple[Mention, ...], topic: _Topic, lexicon: Lexicon) -> Question:
    """Turn "and cocaine?" into the last question, asked of cocaine."""
    new = next(m.entity for m in mentions if _kind(m.entity, lexicon) in _TOPICAL)
    kind = _group(new, lexicon)
    old = next((e for e in topic.entities if _group(e, lexicon) == kind and e != new), None)
    name = lexicon.entities[new].name.casefold()
    if old is None:
        text = f"{topic.canonical} {name}"
        return Question(words, text, text, mentions, (*topic.entities, new))
    canonical = re.sub(rf"(?<!\S){re.escape(lexicon.entities[old].name.casefold())}(?!\S)", name, topic.canonical)
    return Question(words, canonical, canonical, mentions, tuple(new if e == old else e for e in topic.entities))


def _carried(
    words: tuple[str, ...],
    mentions: tuple[Mention, ...],
    entities: tuple[str, ...],
    canonical: str,
    topic: _Topic,
    lexicon: Lexicon,
) -> Question:
    """Turn "how long does that last" into the same words about the thing spoken of."""
    carried = tuple(e for e in topic.entities if _kind(e, lexicon) in _TOPICAL)[:2]
    names = " ".join(lexicon.entities[e].name.casefold() for e in carried)
    pieces = canonical.split()
    place = next((i for i, word in enumerate(pieces) if word in _POINTS_BACK), None)
    if place is None:
        # "why?" asks about the whole last question; "side effects?" about its subject
        text = topic.canonical if len(pieces) <= 2 and not entities else f"{canonical} {names}"
        text = f"{canonical} {topic.canonical}" if text == topic.canonical else text
    else:
        text = " ".join([*pieces[:place], names, *pieces[place + 1 :]])
    return Question(words, text, text, mentions, tuple(dict.fromkeys((*entities, *carried))))


def _names_topic(entities: Sequence[str], lexicon: Lexicon) -> bool:
    return any(_kind(e, lexicon) in _TOPICAL for e in entities)


def _kind(entity: str, lexicon: Lexicon) -> str:
    return lexicon.entities[entity].kind if entity in lexicon.entities else ""


def _group(entity: str, lexicon: Lexicon) -> str:
    kind = _kind(entity, lexicon)
    return "substance" if kind in ("drug", "medicine", "substance-class") else kind


def _parts(text: str) -> list[str]:
    """Split a message into its questions; statements around them give context and stay with the question after them."""
    asked = [s for s in sentences(text) if s.endswith("?")]
    if len(asked) < 2:
        pieces = _JOINTS.split(text.strip().rstrip("?"))
        long_enough = len(pieces) > 1 and all(len(tokens(p)) >= 4 for p in pieces)
        return pieces if long_enough else [text]
    return asked
