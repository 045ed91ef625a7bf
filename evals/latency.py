"""How long a reply takes, as a multiple of the least it could take on the same machine in the same minute.

Milliseconds differ from machine to machine and from hour to hour; the ratio to encoding the message and comparing it
with every view by an exact dot product does so far less.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.bot import Bot
from evals.warm import Warm
from knowledge.encoder import DIM
from knowledge.index import views


@dataclass(frozen=True)
class Latency:
    """Times of the same messages, one after another in one process.

    Attributes:
        reply_ms: times of `Bot.reply`.
        least_ms: times of encoding the message and an exact dot product with as many vectors as the index has.

    """

    reply_ms: tuple[float, ...]
    least_ms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the replies over median of the least."""
        return float(np.median(self.reply_ms) / np.median(self.least_ms))

    def percentile(self, q: float) -> float:
        """Return the time in ms within which q % of the replies came."""
        return float(np.percentile(self.reply_ms, q))


def latency(bot: Bot, encoder: Warm, messages: Sequence[str]) -> Latency:
    """Time every message once; the encoder forgets each before it is timed."""
    rows = np.full((len(views(bot.vetted)), DIM), DIM**-0.5, dtype=np.float32)

    def timed(work: Callable[[], object]) -> float:
        encoder.forget()
        start = time.perf_counter()
        work()
        return (time.perf_counter() - start) * 1000

    for message in messages[:5]:  # the first ones load and compile what later ones find ready
        bot.reply(message)
    replies, least = [], []
    for message in messages:  # both for each, so that they meet the same company on the machine
        replies.append(timed(partial(bot.reply, message)))
        least.append(timed(partial(_nearest, rows, encoder, message)))
    return Latency(tuple(replies), tuple(least))


def _nearest(rows: np.ndarray, encoder: Warm, message: str) -> int:
    return int((rows @ encoder.encode([message])[0]).argmax())
