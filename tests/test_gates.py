"""The gates: the grammar of phrases, and the reviewed books on cases a life may depend on."""

import signal
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bot import Bot
from app.gates import Gates, spoken
from knowledge.errors import KnowledgeError
from knowledge.schema import PhraseBook


def gates(
    *phrases: str, always: tuple[str, ...] = (), unless: tuple[str, ...] = (), sets: Mapping[str, list[str]] = {}
) -> Gates:
    """Compile a book of one rule."""
    rule = {"label": "x", "phrases": phrases, "always": always, "unless": unless}
    return Gates.compile([PhraseBook.model_validate({"id": "book", "sets": sets, "gates": {"gate": [rule]}})])


# (phrase, text, whether it fires)
GRAMMAR = [
    ("took all", "I took all of them", True),
    ("took all", "I took allopurinol", False),
    ("took all", "mistook all of it", False),
    ("wont wake", "she won't wake up", True),
    ("won't wake", "she wont wake up", True),
    ("he ~ breathing", "he is hardly still breathing", True),
    ("he ~ breathing", "he is now very hardly still breathing", False),
    ("he ~~ breathing", "he is now very hardly still breathing", True),
    ("he ~ breathing", "He left. Breathing is free.", False),
    ("he ~ breathing", "he breathing", True),
    ("(took|ate) (a )?pill", "i ate pill", True),
    ("(took|ate) (a )?pill", "i ate the pill", False),
    ("^help$", "help", True),
    ("^help$", "help me", False),
    ("{who} died", "my dog died", True),
    ("{who} died", "my plan died", False),
    ("TOOK all", "TOOK ALL", True),
    ("took & sick", "sick because i took it", True),
    ("took & sick", "i took it", False),
    ("(?!never)[a-z]+ died", "he died", True),
    ("(?!never)[a-z]+ died", "never died", False),
    pytest.param("he ~ breathing", "he élodie isn't breathing", True),
]


@pytest.mark.parametrize(("phrase", "text", "fires"), GRAMMAR)
def test_the_grammar(phrase: str, text: str, fires: bool) -> None:
    """Phrases match whole words, with gaps inside one sentence, sets and alternatives."""
    book = gates(phrase, sets={"who": ["my {pet}", "he"], "pet": ["dog", "cat"]})
    assert bool(book.signal("gate", spoken(text))) == fires


def test_company_silences_phrases_but_not_what_always_counts() -> None:
    """ "In the movie" takes the alarm out of one phrase and not out of the other."""
    book = gates("shot him", always=("i am dying",), unless=("in the movie",))
    heard = [book.signal("gate", spoken(t)) for t in ("he shot him", "in the movie he shot him")]
    assert [bool(signal) for signal in heard] == [True, False]
    assert book.signal("gate", spoken("in the movie theatre i am dying"))


@pytest.mark.parametrize(
    "phrase", ["{nobody}", "((", "a {", "{circle} x", "{ring} x", "a{b", "x & ((", "a & {", "(?!b(", "*"]
)
def test_a_phrase_outside_the_grammar_is_refused_at_start(phrase: str) -> None:
    """A book that cannot be read stops the bot from opening, within a second, and the message names the phrase."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KnowledgeError, match="grammar"):
            gates(phrase, sets={"circle": ["{circle}"], "ring": ["a {gnir}"], "gnir": ["b {ring} c {ring}"]})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_every_phrase_that_ships_can_be_tried_exactly(bot: Bot) -> None:
    """What RE2 finds is tried once more by Python's engine: it must be able to read every phrase, too."""
    for rules in bot._gates.rules.values():
        for rule in rules:
            for phrases in (rule.always, rule.phrases, rule.unless):
                for number in range(len(phrases._parts)):
                    assert phrases._exact(number)


@given(st.text(max_size=200))
def test_what_is_heard_has_plain_words_only(text: str) -> None:
    """Whatever is typed, gates hear words and sentence marks, one space apart; hearing it again changes nothing."""
    heard = spoken(text)
    assert "'" not in heard
    assert "  " not in heard
    assert heard == heard.strip()


@given(st.text(max_size=300))
def test_no_text_breaks_a_gate(tiny: Bot, text: str) -> None:
    """Every gate answers for every text."""
    for gate in ("crisis", "refer", "injection", "small-talk", "still", "calm"):
        tiny._gates.signal(gate, spoken(text))


def test_a_gate_that_no_book_has_never_fires(tiny: Bot) -> None:
    """Asking for it is not an error."""
    assert tiny._gates.signal("nonsense", "i want to die") is None


CRISES = [
    ("i want to kill myself", "suicide"),
    ("I dont want to live anymore", "suicide"),
    ("my friend took fentanyl and wont wake up", "overdose"),
    ("he overdosed and is not breathing", "overdose"),
    ("my toddler swallowed my pills", "child"),
]
CALM = [
    "what is an overdose",
    "how does naloxone reverse an overdose",
    "does cocaine kill brain cells",
    "how many people die of overdoses in the us",
    "what is serotonin",
    "can antidepressants lower the risk of suicide",
]


@pytest.mark.parametrize(("text", "label"), CRISES)
def test_the_reviewed_book_hears_a_crisis(bot: Bot, text: str, label: str) -> None:
    """Plain words for danger raise the alarm under the right label."""
    heard = bot._gates.signal("crisis", spoken(text))
    assert heard is not None
    assert heard.label == label


@pytest.mark.parametrize("text", CALM)
def test_the_reviewed_book_lets_questions_pass(bot: Bot, text: str) -> None:
    """Questions about danger are not danger."""
    assert bot._gates.signal("crisis", spoken(text)) is None


PADDING = "i was thinking about how the brain works and what serotonin does all day long. "


@pytest.mark.parametrize("length", [5_000, 40_000, 1_000_000])
@pytest.mark.parametrize("at", [0.0, 0.37, 0.5, 0.93, 1.0])
def test_a_cry_for_help_is_heard_anywhere_in_a_long_message(tiny: Bot, length: int, at: float) -> None:
    """Begin, middle and end count alike, also where one window ends and the next begins."""
    text = (PADDING * (length // len(PADDING) + 1))[:length]
    cut = int(at * length)
    assert tiny.reply(f"{text[:cut]} i want to die {text[cut:]}").notice_ids[0] == "crisis-suicide"
    assert tiny.reply(text).notice_ids[0] == "invalid-too-long"


@pytest.mark.parametrize("offset", range(0, 400, 7))
def test_no_window_cuts_a_phrase_in_two(offset: int) -> None:
    """Wherever the border of a window falls in a phrase, the next window holds it whole."""
    book = gates("he ~ not breathing")
    assert book.anywhere("gate", "x " * 1700 + "y" * offset + " he is really still not breathing " + "z " * 3000)


def test_the_ends_of_a_message_are_not_the_ends_of_a_window() -> None:
    """A phrase for the begin or end of a message is not heard in its middle."""
    assert gates("^x").anywhere("gate", "y " * 1800 + "x " * 3000) is None
    assert gates("y$").anywhere("gate", "y " * 3000 + "x " * 3000) is None
    assert gates("^x").anywhere("gate", "x" + " y" * 3000)
    assert gates("x$").anywhere("gate", "y " * 3000 + "x")


def test_time_grows_with_the_length_and_no_faster(bot: Bot) -> None:
    """Ten times the text, made of the costliest words, takes about ten times as long."""
    words = ("he", "took", "all", "my", "pills", "want", "to", "die", "not", "breathing", "wont", "wake", "so")
    text = " ".join(f"{words[i * i % len(words)]} {i}" for i in range(30_000))

    def seconds(length: int) -> float:
        start = time.process_time()
        bot._gates.anywhere("crisis", text[:length])
        return time.process_time() - start

    seconds(4_000)
    assert seconds(200_000) < 30 * max(seconds(20_000), 0.02)


def test_a_long_hostile_message_does_not_hang_a_gate(bot: Bot) -> None:
    """The costliest text within the limits is judged in a second: no pattern backtracks without end."""
    for text in (
        "i " * 2000,
        "my my my he she took " * 190,
        "a" * 4000,
        "i want to " * 400,
        ("he is " * 6 + ". ") * 90,
    ):
        start = time.perf_counter()
        for gate in ("crisis", "refer", "injection", "small-talk"):
            bot._gates.signal(gate, spoken(text[:4000]))
        assert time.perf_counter() - start < 5, text[:30]
