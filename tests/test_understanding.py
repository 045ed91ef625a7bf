"""A message, seen against the turns before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bot import Bot, turn_of
from app.models import Turn
from app.understanding import MAX_PARTS, Understood, understand

COCAINE = Turn(
    "how does cocaine act on dopamine",
    shown=("fact:cocaine-blocks-reuptake",),
    offered=("fact:lsd-turns-receptors-on", "fact:naloxone-reverses-overdose"),
)


def after(tiny: Bot, text: str, *history: Turn) -> Understood:
    """Understand `text` after the turns."""
    return understand(text, history, tiny.vetted.lexicon)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("and lsd?", "how does lsd act on dopamine"),
        ("what about acid", "how does lsd act on dopamine"),
        ("how long does it last", "how long does cocaine dopamine last"),
        ("side effects?", "side effects cocaine dopamine"),
        ("does that hurt", "does cocaine dopamine hurt"),
        ("how does naloxone work", "how does naloxone work"),
        ("is coke bad", "is cocaine bad"),
    ],
)
def test_a_follow_up_becomes_a_question_that_stands_alone(tiny: Bot, text: str, canonical: str) -> None:
    """What the message leans on is filled in; what stands alone is left as it is."""
    ((question, *_),) = after(tiny, text, COCAINE).parts
    assert question.canonical == canonical


def test_why_may_ask_about_the_whole_last_question(tiny: Bot) -> None:
    """A short word is read as about the subject, as about the last question, and alone."""
    (readings,) = after(tiny, "why?", COCAINE).parts
    assert [q.canonical for q in readings] == [
        "why cocaine dopamine",
        "why how does cocaine act on dopamine",
        "why",
    ]


@pytest.mark.parametrize(
    ("text", "follow_up", "pointed"),
    [
        ("the second one", "chosen", ("fact:naloxone-reverses-overdose",)),
        ("1", "chosen", ("fact:lsd-turns-receptors-on",)),
        ("last one please", "chosen", ("fact:naloxone-reverses-overdose",)),
        ("tell me more", "more", ("fact:lsd-turns-receptors-on",)),
        ("source?", "source", ("fact:cocaine-blocks-reuptake",)),
        ("says who", "source", ("fact:cocaine-blocks-reuptake",)),
        ("are you sure", "insists", ("fact:cocaine-blocks-reuptake",)),
    ],
)
def test_a_message_can_point_at_what_was_shown(tiny: Bot, text: str, follow_up: str, pointed: tuple[str, ...]) -> None:
    """Choices, "more", "source?" and doubt refer to the reply before."""
    understood = after(tiny, text, COCAINE)
    assert (understood.follow_up, understood.pointed) == (follow_up, pointed)


@pytest.mark.parametrize("text", ["tell me more", "source?", "why is it so", "and then?"])
def test_leaning_on_nothing_is_noticed(tiny: Bot, text: str) -> None:
    """Without a turn before it, a follow-up is lost and nothing is guessed."""
    assert after(tiny, text).follow_up == "lost"


def test_more_is_never_the_same_again(tiny: Bot) -> None:
    """What was shown before is not offered as more."""
    seen = Turn("lsd", shown=("fact:lsd-turns-receptors-on", "fact:naloxone-reverses-overdose"))
    assert after(tiny, "tell me more", seen, COCAINE).pointed == ()


def test_the_topic_survives_small_talk(tiny: Bot) -> None:
    """A thank-you in between does not lose the thread."""
    history = (COCAINE, Turn("thanks", kind="greeting"))
    assert "cocaine" in after(tiny, "how long does it last", *history).parts[0][0].entities


@pytest.mark.parametrize(
    ("text", "count", "dropped"),
    [
        ("what is lsd? what is cocaine?", 2, False),
        ("what does lsd do and how does cocaine work", 2, False),
        ("lsd and cocaine", 1, False),
        ("My son is 19. What is lsd?", 1, False),
        ("what is lsd? what is cocaine? what is naloxone? what is dopamine?", MAX_PARTS, True),
    ],
)
def test_a_message_is_split_into_its_questions(tiny: Bot, text: str, count: int, dropped: bool) -> None:
    """Up to three questions are answered, and more are noticed."""
    understood = after(tiny, text)
    assert (len(understood.parts), understood.dropped) == (count, dropped)


@given(st.text(max_size=120), st.lists(st.text(max_size=60), max_size=4))
def test_there_is_always_a_question(tiny: Bot, text: str, before: list[str]) -> None:
    """Whatever is typed after whatever, one to three questions come out."""
    understood = after(tiny, text, *map(Turn, before))
    assert 1 <= len(understood.parts) <= MAX_PARTS


def test_a_dialogue_as_a_visitor_has_it(tiny: Bot) -> None:
    """Ask, follow up, ask for the source: each reply leans on the last."""
    history: tuple[Turn, ...] = ()
    shown = []
    for text in ("how does cocaine work", "and lsd?", "source?", "the second one"):
        reply = tiny.reply(text, history)
        shown.append((reply.kind, *reply.fact_ids))
        history = (*history, turn_of(text, reply))
    assert shown[:3] == [
        ("answer", "cocaine-blocks-reuptake"),
        ("answer", "lsd-turns-receptors-on"),
        ("answer", "lsd-turns-receptors-on"),
    ]


def test_plain_words_as_history_are_enough(tiny: Bot) -> None:
    """A caller of the API sends only the visitor's words; what was shown is worked out again."""
    assert tiny.reply("source?", ["how does cocaine work"]).fact_ids == ("cocaine-blocks-reuptake",)


def test_ten_thousand_turns_are_fine(tiny: Bot) -> None:
    """Only the last turns count, however many there are."""
    assert tiny.reply("and lsd?", ["how does cocaine work"] * 10_000).fact_ids == ("lsd-turns-receptors-on",)
