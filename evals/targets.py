"""What is judged: this app, a deployed copy of it, and control bots whose faults the suite must find."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.bot import Bot, turn_of
from app.models import Turn
from knowledge.errors import GuideError
from knowledge.schema import Fact, KnownError
from knowledge.signing import Vetted


class TargetError(GuideError):
    """The target does not answer as a chatbot should; the run is broken, not failed."""


@dataclass(frozen=True)
class Answer:
    """What a target said in one turn."""

    kind: str
    text: str
    fact_ids: tuple[str, ...] = ()
    error_ids: tuple[str, ...] = ()
    notice_ids: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()  # ids of the entries that the citations belong to
    ms: float = 0.0


class Target(Protocol):
    """A bot under test."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """Return one answer per turn of a new conversation."""


@dataclass(frozen=True)
class App:
    """The app itself, in process."""

    bot: Bot
    name: str = "app"

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """See `Target`."""
        history: tuple[Turn, ...] = ()
        answers = []
        for text in turns:
            reply = self.bot.reply(text, history)
            history = (*history, turn_of(text, reply))
            cited = tuple(note.for_id for note in reply.citations)
            answers.append(Answer(reply.kind, reply.text, reply.fact_ids, reply.error_ids, reply.notice_ids, cited))
        return tuple(answers)


@dataclass(frozen=True)
class Deployed:
    """A deployed copy, by the address of its `/api/reply`."""

    url: str
    timeout_s: float = 10.0
    name: str = "deployed"
    max_bytes: int = 1_000_000

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """See `Target`.

        Raises:
            TargetError: the address cannot be reached or does not speak the API.
        """
        return tuple(self._reply(text, turns[:i]) for i, text in enumerate(turns))

    def _reply(self, text: str, before: Sequence[str]) -> Answer:
        body = json.dumps({"text": text, "history": [{"user": t} for t in before]}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310
                data: dict[str, Any] = json.loads(response.read(self.max_bytes))
            return Answer(
                data["kind"],
                data["text"],
                tuple(data["fact_ids"]),
                tuple(data["error_ids"]),
                tuple(data["notice_ids"]),
                tuple(note["for_id"] for note in data["citations"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TargetError(f"{self.url} does not answer as the API should: {error}") from error


@dataclass(frozen=True)
class Parrot:
    """Control: agrees with whatever it is told."""

    vetted: Vetted
    name: str = "parrot"

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """Repeat the wrong claim whose asks or words are in the message; else repeat the message."""
        return tuple(Answer("answer", self._agree(text)) for text in turns)

    def _agree(self, text: str) -> str:
        lowered = text.lower()
        for error in self.vetted.known_errors.values():
            if error.claim.rstrip(".").lower() in lowered or any(ask.lower() in lowered for ask in error.asks):
                return error.claim
        return text


@dataclass(frozen=True)
class Fixed:
    """Control: gives the same answer to everything."""

    name: str
    answer: Answer

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """Say it again."""
        return tuple(self.answer for _ in turns)


@dataclass
class Altered:
    """Control: the app with one thing broken."""

    name: str
    inner: Target
    vetted: Vetted
    _next: dict[str, str] = field(default_factory=dict)

    def converse(self, turns: Sequence[str]) -> tuple[Answer, ...]:
        """Answer as the app does, then break it."""
        return tuple(map(self._break, self.inner.converse(turns)))

    def _break(self, answer: Answer) -> Answer:
        if self.name == "unsigned-text":
            return Answer(
                answer.kind, f"{answer.text} Hope this helps!", answer.fact_ids, answer.error_ids, answer.notice_ids
            )
        if self.name == "crisis-blind" and answer.kind == "crisis":
            return Answer("out_of_scope", self.vetted.notices["out-of-scope"].text, notice_ids=("out-of-scope",))
        if self.name == "wrong-fact" and answer.fact_ids:
            ids = list(self.vetted.facts)
            other = self.vetted.facts[ids[(ids.index(answer.fact_ids[0]) + 7) % len(ids)]]
            return _fact_answer(other)
        return answer


def controls(app: Target, vetted: Vetted) -> tuple[Target, ...]:
    """Return the bots that must fail; the suite is worth nothing if one of them passes."""
    first = next(iter(vetted.facts.values()))
    refusal = vetted.notices["out-of-scope"]
    return (
        Parrot(vetted),
        Fixed("always-answers", _fact_answer(first)),
        Fixed("always-refuses", Answer("out_of_scope", refusal.text, notice_ids=(refusal.id,))),
        Fixed("empty", Answer("answer", "")),
        Altered("wrong-fact", app, vetted),
        Altered("unsigned-text", app, vetted),
        Altered("crisis-blind", app, vetted),
    )


def _fact_answer(fact: Fact) -> Answer:
    text = "\n\n".join(filter(None, (fact.answer, fact.detail)))
    return Answer("answer", text, (fact.id,), cited=(f"fact:{fact.id}",))


def signed_texts(vetted: Vetted) -> Mapping[str, tuple[str, ...]]:
    """Return id → the texts an entry may show, for every signed entry."""
    found: dict[str, tuple[str, ...]] = {}
    for fact in vetted.facts.values():
        found[f"fact:{fact.id}"] = tuple(filter(None, (fact.answer, fact.detail)))
    error: KnownError
    for error in vetted.known_errors.values():
        found[f"error:{error.id}"] = (error.correction,)
    found |= {f"notice:{n.id}": (n.text,) for n in vetted.notices.values()}
    return found | {f"help:{line.id}": (line.text,) for line in vetted.help_lines.values()}
