"""A message and the turns before it → standalone questions in canonical words, with the entities they name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.metrics import timed
from app.models import Question, Turn
from knowledge.lexicon import Lexicon, entities_of
from knowledge.text import normal, sentences, tokens

MAX_PARTS = 3
# What a conversation is about. A message that names one of these stands on its own.
_TOPICAL = frozenset({"drug", "medicine", "messenger", "substance-class", "condition", "treatment", "food", "receptor"})
_FOLLOW_UP = re.compile(r"^(and|what about|how about|but|so|also|ok(ay)?( and)?|then|or)\b")
_SWAP = re.compile(r"^(and|or|what about|how about|ok and|okay and|same (for|with)|and (what about|with|for|in))\b")
_POINTS_BACK = frozenset(["it", "its", "it's", "this", "those", "these", "they", "them", "their"])
# "that" points back after one of these; elsewhere it joins clauses
_BEFORE_THAT = frozenset(["about", "by", "can", "did", "do", "does", "for", "from", "how", "is", "of", "on", "to"])
_BEFORE_THAT |= {"was", "why", "will", "with", "would"}
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
_BARE = 2  # words; a message this short is a name: "and cocaine?"
_SHORT = 6  # words; a message this short that names no topic leans on what was said before
_LONG = 14  # words; a message this long stands on its own
_JOINTS = re.compile(
    r"\s+(?:and also|and|also|plus)\s+(?=(?:what|why|how|is|are|does|do|can|which|who|when|where|will)\b)"
)


@dataclass(frozen=True)
class Understood:
    """A message, taken apart.

    Attributes:
        parts: one to three questions in the visitor's order; each in one or more readings, the likeliest first. Which
            reading was meant shows when it finds an answer.
        pointed: ids ("fact:<id>" …) that the message points at directly ("the second one", "source?"); then there are
            no parts.
        dropped: whether parts beyond the third were left out.
        follow_up: "", or how the message leans on the turns before: "resolved", "chosen", "more", "source", "insists",
            "lost" (it leans on something that is not there).

    """

    parts: tuple[tuple[Question, ...], ...]
    pointed: tuple[str, ...] = ()
    dropped: bool = False
    follow_up: str = ""


@timed("understand")
def understand(text: str, history: Sequence[Turn], lexicon: Lexicon) -> Understood:
    """Return the standalone questions in `text` (cleaned), seen against the earlier turns, newest last."""
    words = tokens(normal(text))
    plain = " ".join(words).replace("'", "")
    if pointed := _pointed(plain, history):
        return pointed
    topic = _topic(history, lexicon)
    parts = _parts(text)
    readings = tuple(_readings(part, topic, lexicon) for part in parts[:MAX_PARTS])
    follow_up = "resolved" if any(len(r) > 1 for r in readings) else ""
    if _INSISTS.match(plain) and len(words) <= _SHORT + 4:
        follow_up = "insists"
    if topic is None and len(words) <= _SHORT and not _names_topic(readings[0][0].entities, lexicon):
        # "and that one?" leans on something that is not there; "who won the world cup" is a question of its own
        follow_up = "lost" if _FOLLOW_UP.match(plain) or _pronoun(words[:3]) is not None else follow_up
    return Understood(readings, dropped=len(parts) > MAX_PARTS, follow_up=follow_up)


def _pointed(plain: str, history: Sequence[Turn]) -> Understood | None:
    """Recognise "the second one", "tell me more" and "source?"."""
    last = history[-1] if history else None
    if (choice := _CHOICE.match(plain)) and last and last.offered:
        place = _ORDINALS[choice.group(2)]
        if -len(last.offered) <= place < len(last.offered):
            return _points_at((last.offered[place],), "chosen")
    if _MORE.match(plain):
        return _points_at(_unseen(history), "more") if last else _points_at((), "lost")
    if _SOURCE.match(plain):
        shown = next((turn.shown for turn in reversed(history) if turn.shown), ())
        return _points_at(shown, "source" if shown else "lost")
    if last and last.shown and _INSISTS.match(plain) and len(plain.split()) <= _SHORT:
        return _points_at(last.shown, "insists")
    return None


def _points_at(ids: tuple[str, ...], follow_up: str) -> Understood:
    return Understood((), pointed=ids, follow_up=follow_up)


def _unseen(history: Sequence[Turn]) -> tuple[str, ...]:
    """Return the first question offered last time that was not shown yet, if any."""
    seen = {key for turn in history for key in turn.shown}
    return tuple(key for key in history[-1].offered if key not in seen)[:1]


def _topic(history: Sequence[Turn], lexicon: Lexicon) -> Question | None:
    """Return what the conversation is about so far: the last question in its likeliest reading."""
    topic: Question | None = None
    for turn in history:
        question = _readings(turn.user, topic, lexicon)[0]
        # a question outside the topic in between does not lose the thread
        if _names_topic(question.entities, lexicon) or (topic is None and len(question.words) > _BARE):
            topic = question
    return topic


def _readings(text: str, topic: Question | None, lexicon: Lexicon) -> tuple[Question, ...]:
    """Return what `text` may mean after `topic`, the likeliest reading first."""
    words = tokens(normal(text))
    mentions = lexicon.find(words)
    alone = Question(words, lexicon.rewrite(words, mentions), " ".join(words), mentions, entities_of(mentions))
    plain = alone.plain.replace("'", "")
    points_back = _pronoun(words) is not None
    if topic is None or not words:
        return (alone,)
    if _names_topic(alone.entities, lexicon):
        if len(words) <= _BARE or (_SWAP.match(plain) and len(words) <= _SHORT):
            return (_swapped(alone, topic, lexicon), alone)
        return (alone, _carried(alone, topic, lexicon)) if points_back and len(words) <= _LONG else (alone,)
    if len(words) > _LONG or not (points_back or _FOLLOW_UP.match(plain) or len(words) <= _BARE + 1):
        return (alone,)
    return (_carried(alone, topic, lexicon), _joined(alone, topic), alone)


def _swapped(alone: Question, topic: Question, lexicon: Lexicon) -> Question:
    """Turn "and cocaine?" into the last question, asked of cocaine."""
    new = next(e for e in alone.entities if _kind(e, lexicon) in _TOPICAL)
    group = _group(new, lexicon)
    old = next((e for e in topic.entities if _group(e, lexicon) == group and e != new), None)
    name = lexicon.entities[new].name.casefold()
    if old is None:
        return _joined(alone, topic)
    text = re.sub(rf"(?<!\S){re.escape(lexicon.entities[old].name.casefold())}(?!\S)", name, topic.canonical)
    entities = tuple(new if e == old else e for e in topic.entities)
    return Question(alone.words, text, text, alone.mentions, entities)


def _carried(alone: Question, topic: Question, lexicon: Lexicon) -> Question:
    """Turn "how long does that last" into the same words about the thing spoken of."""
    carried = tuple(e for e in topic.entities if _kind(e, lexicon) in _TOPICAL)[:2]
    names = [lexicon.entities[e].name.casefold() for e in carried if e not in alone.entities]
    pieces = list(alone.words)
    place = _pronoun(alone.words)
    # without a pronoun the subject follows: "side effects?"
    text = " ".join([*pieces, *names] if place is None else [*pieces[:place], *names, *pieces[place + 1 :]])
    entities = tuple(dict.fromkeys((*alone.entities, *carried)))
    return Question(alone.words, lexicon.canonical(text), text, alone.mentions, entities)


def _pronoun(words: Sequence[str]) -> int | None:
    """Return the place of the first word that points back to what was said before."""
    for place, word in enumerate(words):
        if word in _POINTS_BACK:
            return place
        if word == "that" and (place in (0, len(words) - 1) or words[place - 1] in _BEFORE_THAT):
            return place
    return None


def _joined(alone: Question, topic: Question) -> Question:
    """Turn "why?" into the last question with these words before it."""
    text = f"{alone.canonical} {topic.canonical}"
    return Question(alone.words, text, text, alone.mentions, tuple(dict.fromkeys((*alone.entities, *topic.entities))))


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
