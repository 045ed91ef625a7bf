"""One message in, one vetted reply out: every stage in order. Start reading here.

guard → crisis gate → language → understand → refer, injection and small-talk gates → retrieve → decide → compose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

import structlog

from app.calibration import load_calibration
from app.compose import compose
from app.decision import Decider, Evidence, Reading
from app.gates import WINDOW, Gates, spoken
from app.guard import Refused, guard
from app.language import foreign
from app.metrics import timed
from app.models import Decision, Found, Question, Reply, Signal, Turn
from app.opinions import Opinions
from app.retrieval import Retrieval
from app.settings import Settings
from app.understanding import Understood, understand
from knowledge.encoder import Encoder, MiniLM
from knowledge.errors import GuideError, KnowledgeError
from knowledge.index import open_index
from knowledge.signing import Vetted, vet
from knowledge.store import load
from knowledge.text import clean, normal, plain, tokens

_log = structlog.get_logger()
_REQUIRED_NOTICES = (
    "trouble",
    "slow-down",
    "busy",
    "care",
    "crisis-general",
    "out-of-scope",
    "out-of-scope-near",
    "clarify",
)


def utc_today() -> date:
    """Return today's date in UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Trace:
    """Everything the path computed for one message, for `ask --explain`. Never logged: it holds the visitor's words."""

    heard: str
    signals: tuple[Signal, ...]
    understood: Understood | None
    opinions: dict[str, float]
    found: tuple[Found, ...]
    decisions: tuple[Decision, ...]
    reply: Reply


@dataclass(frozen=True)
class Engine:
    """The parts that need the encoder and the index. Without them the bot still raises the alarm and shows help."""

    retrieval: Retrieval
    opinions: Opinions
    decider: Decider


class Bot:
    """Answers from one vetted base. Safe to share between threads: nothing in it changes."""

    def __init__(self, settings: Settings, vetted: Vetted, engine: Engine | None) -> None:
        """Take the parts; refuse a base that could leave somebody in danger without words.

        Raises:
            KnowledgeError: the phrase book, a notice that a gate needs, or the help lines are not signed.

        """
        self.settings = settings
        self.vetted = vetted
        self.ready = engine is not None
        self.engine = engine
        self._gates = Gates.compile(vetted.phrases.values())
        self._known_words = frozenset(word for surface in vetted.lexicon.surfaces for word in surface)
        self._self_check()

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        today: Callable[[], date] = utc_today,
        encoder: Encoder | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Bot":
        """Load the signed base, open or build its index, and return a bot that is ready.

        If the encoder or the index is broken the bot still opens, `ready` is False, and every question that is not an
        emergency is answered by the signed notice "trouble" and the help lines.

        Raises:
            KnowledgeError: the base cannot be served safely (see `__init__`).

        """
        base, problems = load(settings.knowledge_dir)
        for problem in problems:
            _log.error("knowledge_problem", code=problem.code, file=str(problem.file), line=problem.line)
        vetted = vet(base, today(), settings.review_level)
        try:
            engine = _engine(settings, vetted, encoder, progress)
        except GuideError as error:
            _log.error("engine_unavailable", error=str(error))
            engine = None
        return cls(settings, vetted, engine)

    def reply(self, text: object, history: Sequence[Turn | str] = (), country: str | None = None) -> Reply:
        """Return the vetted reply to `text`.

        Args:
            text: the visitor's message; anything that is not text gets the "invalid" reply.
            history: the visitor's earlier messages, oldest first: strings, or `Turn`s that also know what was shown.
            country: code of the country the visitor chose; default: the setting `country`.

        Never raises: when a part fails, the reply is the signed notice "trouble" with the help lines.

        """
        return self.trace(text, history, country).reply

    def trace(self, text: object, history: Sequence[Turn | str] = (), country: str | None = None) -> Trace:
        """Return the reply together with what every stage made of the message."""
        country = country or self.settings.country
        heard = _heard(text)
        if alarm := self._alarm(text):
            return self._alarmed(heard, country, alarm)
        try:
            return self._trace(text, heard, tuple(map(_turn, history))[-self.settings.history_turns or None :], country)
        except Exception as error:  # the one error boundary: a visitor never meets a traceback
            _log.error("reply_failed", error=type(error).__name__)
            return self._quick(
                heard, country, Decision("out_of_scope", ("notice:trouble",), reason=type(error).__name__)
            )

    def put_off(self, text: object, notice: Literal["slow-down", "busy"], country: str | None = None) -> Trace:
        """Return the reply to a message that a limit holds back: the alarm if it is one, else the notice.

        Help is never put off: both carry the help lines.
        """
        country = country or self.settings.country
        heard = _heard(text)
        if alarm := self._alarm(text):
            return self._alarmed(heard, country, alarm)
        return self._quick(heard, country, Decision("invalid", (f"notice:{notice}",), reason="a limit was reached"))

    def _alarmed(self, heard: str, country: str, alarm: Signal) -> Trace:
        decision = Decision("crisis", (f"notice:crisis-{alarm.label}",), reason=alarm.phrase)
        return self._quick(heard, country, decision, alarm)

    def _alarm(self, text: object) -> Signal | None:
        if not isinstance(text, str):
            return None
        try:
            return self._crisis_signal(text)
        except Exception as error:  # fails closed: better one alarm too many than none
            _log.error("crisis_gate_failed", error=type(error).__name__)
            return Signal("crisis", "general", "gate failed")

    @timed("crisis_gate")
    def _crisis_signal(self, text: str) -> Signal | None:
        return self._gates.anywhere("crisis", text)

    def _quick(self, heard: str, country: str, decision: Decision, *signals: Signal) -> Trace:
        return Trace(heard, signals, None, {}, (), (decision,), compose(decision, self.vetted, country))

    def _trace(self, message: object, heard: str, history: tuple[Turn, ...], country: str) -> Trace:
        text = guard(message, self.settings.max_chars)
        if isinstance(text, Refused):
            return self._quick(
                heard, country, Decision("invalid", (f"notice:invalid-{text.label}",), reason=text.label)
            )
        if still := self._still_in_crisis(heard, text, history):
            return self._quick(heard, country, still, Signal("crisis", "still", "the message before this one"))
        words = tokens(normal(text))
        if language := foreign(words, self._known_words):
            notice = f"language-{language}" if f"language-{language}" in self.vetted.notices else "language-other"
            decision = Decision("out_of_scope", (f"notice:{notice}",), reason=f"language {language}")
            return self._quick(heard, country, decision, Signal("language", language, ""))
        if talk := self._gates.signal("small-talk", heard):
            decision = Decision("greeting", (f"notice:small-talk-{talk.label}",), reason=talk.phrase)
            return self._quick(heard, country, decision, talk)
        if self.engine is None:
            return self._quick(
                heard, country, Decision("out_of_scope", ("notice:trouble",), reason="engine unavailable")
            )
        history = tuple(replace(turn, user=turn.user[:WINDOW]) for turn in self._with_shown(history, country))
        return self._answered(self.engine, text, heard, history, country)

    def _still_in_crisis(self, heard: str, text: str, history: tuple[Turn, ...]) -> Decision | None:
        """A short message right after an alarm ("still nothing", "what now") is still about the alarm."""
        alarm = self._gates.anywhere("crisis", history[-1].user) if history else None
        if alarm is None or self._gates.signal("calm", heard):
            return None
        words = tokens(normal(text))
        short = len(words) <= 8 and not any(m.entity for m in self.vetted.lexicon.find(words))
        if short or self._gates.signal("still", heard):
            return Decision("crisis", (f"notice:crisis-{alarm.label}",), reason=f"still: {alarm.phrase}")
        return None

    def _answered(self, engine: Engine, text: str, heard: str, history: tuple[Turn, ...], country: str) -> Trace:
        understood = understand(text, history, self.vetted.lexicon)
        whole = plain(text)
        asked = [question for part in understood.parts for question in part]
        vectors = engine.retrieval.encode((whole, *(words for q in asked for words in (q.canonical, q.plain))))
        opinions = engine.opinions.judge(heard, vectors[whole])

        def reading(question: Question) -> Reading:
            own = question.plain == whole
            scope = opinions if own else engine.opinions.judge(spoken(question.plain), vectors[question.plain])
            return Reading(engine.retrieval.find(question, vectors), scope["scope"])

        evidence = Evidence(
            understood=understood,
            parts=tuple(tuple(map(reading, part)) for part in understood.parts),
            shown=history[-1].shown if history else (),
            opinions=opinions,
            signals=tuple(s for gate in ("refer", "injection", "care") if (s := self._gates.signal(gate, heard))),
            after_crisis=self._after_crisis(history),
        )
        decisions = engine.decider.decide(evidence)
        reply = compose(decisions[-1], self.vetted, country)
        found = tuple(r.found for part in evidence.parts for r in part)
        return Trace(heard, evidence.signals, understood, opinions, found, decisions, reply)

    def _after_crisis(self, history: tuple[Turn, ...]) -> bool:
        return any(
            turn.kind == "crisis" or self._gates.signal("crisis", spoken(turn.user[:WINDOW])) for turn in history[-3:]
        )

    def _with_shown(self, history: tuple[Turn, ...], country: str) -> tuple[Turn, ...]:
        """Fill in what was shown in the last turn where only the visitor's words are known, by asking again."""
        if not history or history[-1].shown or history[-1].offered:
            return history
        last = history[-1]
        reply = self.trace(last.user, history[:-1], country).reply
        return (*history[:-1], turn_of(last.user, reply))

    def _self_check(self) -> None:
        gates = self._gates.rules
        wanted = {f"{gate}-{rule.label}" for gate in ("crisis", "refer", "small-talk") for rule in gates.get(gate, ())}
        missing = sorted((wanted | set(_REQUIRED_NOTICES)) - set(self.vetted.notices))
        if missing:
            raise KnowledgeError(f"no signed notice for {', '.join(missing)}: run `knowledge check`")
        if not (gates.get("crisis") and gates.get("refer")):
            raise KnowledgeError(
                "no signed phrase book has a crisis or refer gate: run `knowledge check`, then `knowledge sign`"
            )
        for code, country in self.vetted.countries.items():
            if not {"emergency", "crisis"} <= {line.kind for line in country.lines}:
                raise KnowledgeError(f"help/{code}.yaml lacks a signed emergency or crisis line: run `knowledge check`")
        if self.settings.country not in self.vetted.countries:
            raise KnowledgeError(f"no signed help lines for {self.settings.country!r}: run `knowledge check`")


def turn_of(user: str, reply: Reply) -> Turn:
    """Return the turn that a message and its reply make."""
    shown = tuple(dict.fromkeys(p.id for p in reply.pieces if p.id.startswith(("fact:", "error:"))))
    return Turn(user, shown, tuple(r.id for r in reply.related), reply.kind)


def _heard(text: object) -> str:
    """Return what the gates after the first hear: of a message that is too long, only the begin."""
    try:
        return spoken(text[:WINDOW]) if isinstance(text, str) else ""
    except Exception as error:  # the crisis gate reports the fault
        _log.error("not_heard", error=type(error).__name__)
        return ""


def _turn(earlier: Turn | str) -> Turn:
    return earlier if isinstance(earlier, Turn) else Turn(clean(earlier))


def _engine(
    settings: Settings, vetted: Vetted, encoder: Encoder | None, progress: Callable[[int, int], None] | None
) -> Engine:
    encoder = encoder or MiniLM(threads=settings.encoder_threads)
    calibration = load_calibration(encoder.fingerprint)
    index = open_index(vetted, encoder, settings.index_dir, progress)
    return Engine(Retrieval(vetted, index, encoder, calibration), calibration.opinions, Decider(vetted, calibration))
