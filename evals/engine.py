"""Cases × a target → judged turns, in this process or in several.

The app is judged by processes that each open it for themselves, since an opened vector index does not survive a fork.
Messages are encoded in batches before they are asked (`Warm`): the same vectors in a fraction of the time. How long a
visitor waits is therefore not measured here but in `evals.latency`.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, cached_property
from multiprocessing import get_context

from app.bot import Bot
from app.settings import Settings
from evals.cases import Case
from evals.detector import Detector
from evals.latency import Latency, latency
from evals.measures import Turn
from evals.scorers import SCORERS, Bench
from evals.targets import App, Target, signed_texts
from evals.warm import Warm
from knowledge.encoder import MiniLM
from knowledge.errors import GuideError

_CHUNK = 192  # cases judged between two ticks of the progress bar and encoded together: alike lengths, little padding
_CONTEXT = get_context("fork" if sys.platform == "linux" else "spawn")  # a fork need not import everything again


class EngineError(GuideError):
    """The run is broken: a part of the app is missing, or a process died."""


def judge(case: Case, target: Target, bench: Bench) -> tuple[Turn, ...]:
    """Ask the target what the case asks, and score every turn."""
    answers = target.converse([turn.ask for turn in case.turns])
    return tuple(
        Turn(
            case.id,
            case.family,
            case.tags,
            expected,
            answer,
            tuple(score for scorer in SCORERS if (score := scorer(expected, answer, bench))),
        )
        for expected, answer in zip(case.turns, answers, strict=True)
    )


@dataclass(frozen=True)
class Workshop:
    """The app opened in this process, and what it is judged with."""

    bot: Bot
    encoder: Warm

    @classmethod
    def open(cls, threads: int) -> "Workshop":
        """Open the app with an encoder of so many threads.

        Raises:
            EngineError: the index or the encoder is not available.
            KnowledgeError: the base cannot be served safely.

        """
        encoder = Warm(MiniLM(threads=threads))
        bot = Bot.open(Settings(), encoder=encoder)
        if not bot.ready:
            raise EngineError("the index or the encoder is not available: run `knowledge index`, see the log lines")
        return cls(bot, encoder)

    @cached_property
    def bench(self) -> Bench:
        """What scorers judge with; the detector is only built once somebody says something that nobody signed."""
        return Bench.of(self.bot.vetted, self._detector)

    def _detector(self) -> Detector:
        """Signed texts count as true: what is looked for is text that nobody signed, or a signed one twisted."""
        vetted = self.bot.vetted
        shown = [text for key, texts in signed_texts(vetted).items() if not key.startswith("help:") for text in texts]
        true = [*shown, *(error.why_wrong for error in vetted.known_errors.values())]
        return Detector(vetted.known_errors, self.encoder, true)

    def judge(self, cases: Sequence[Case]) -> list[Turn]:
        """Judge the app on `cases`."""
        self.encoder.warm((turn.ask for case in cases for turn in case.turns), self.bot.vetted.lexicon)
        return [turn for case in cases for turn in judge(case, App(self.bot), self.bench)]

    def latency(self, messages: Sequence[str]) -> Latency:
        """Measure how long the app takes, each message encoded when it is asked."""
        self.encoder.forget()
        return latency(self.bot, self.encoder, messages)


class Pool:
    """As many processes as wanted, each with the app opened. Use it in a `with` block."""

    def __init__(self, jobs: int) -> None:
        """Start the processes; they open the app while the caller goes on."""
        self._threads = 1 if jobs > 1 else Settings().encoder_threads
        self._pool = ProcessPoolExecutor(jobs, mp_context=_CONTEXT)
        self._opening = [self._pool.submit(_open, self._threads) for _ in range(jobs)]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def judge(self, cases: Sequence[Case]) -> Iterator[list[Turn]]:
        """Yield the judged turns of some cases after another, in no fixed order.

        Raises:
            GuideError: the app cannot be opened, or a process died.

        """
        try:
            for opening in self._opening:
                opening.result()
            chunks = [cases[start : start + _CHUNK] for start in range(0, len(cases), _CHUNK)]
            for done in as_completed([self._pool.submit(_judge, self._threads, chunk) for chunk in chunks]):
                yield done.result()
        except BrokenProcessPool as error:
            raise EngineError("a process died, perhaps for want of memory: try `--jobs 1`") from error

    def latency(self, messages: Sequence[str]) -> Latency:
        """Measure how long the app takes, while nothing else runs."""
        return self._pool.submit(_latency, self._threads, messages).result()


_workshop = cache(Workshop.open)  # one for each process


def _open(threads: int) -> None:
    _workshop(threads)


def _judge(threads: int, cases: Sequence[Case]) -> list[Turn]:
    return _workshop(threads).judge(cases)


def _latency(threads: int, messages: Sequence[str]) -> Latency:
    return _workshop(threads).latency(messages)
