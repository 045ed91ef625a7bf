"""A visitor's message in, a reply out: the limits first, then the bot, then the counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Literal

from app import metrics, service
from app.bot import Trace
from app.models import Reply, Turn
from app.rates import Limiter


@dataclass(frozen=True)
class Held:
    """A limit that holds a message back, and the seconds after which the next one is taken."""

    limit: Literal["session", "address", "waiting"]
    wait_s: int


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    """Return the one limiter of this process."""
    return Limiter(service.settings())


def receive(text: str, history: Sequence[Turn | str], country: str | None, *, address: str, session: str) -> Reply:
    """Return the reply to a message typed into an open page.

    Args:
        text: see `Bot.reply`, also for `history` and `country`.
        history: the visitor's earlier turns, oldest first.
        country: code of the country the visitor chose.
        address: network address of the visitor.
        session: key of the open page.

    """
    held = held_back(address=address, session=session)
    return put_off(held, text, country) if held else answer(text, history, country)


def held_back(*, address: str, session: str | None = None) -> Held | None:
    """Count a message and return the limit that holds it back, if one does."""
    if session is not None and (wait := limiter().session_wait_s(session)):
        return Held("session", wait)
    wait = limiter().address_wait_s(address)
    return Held("address", wait) if wait else None


def answer(text: str, history: Sequence[Turn | str], country: str | None) -> Reply:
    """Return the bot's reply and count it."""
    started = perf_counter()
    return _counted(service.bot().trace(text, history, country), started)


def put_off(held: Held, text: str, country: str | None) -> Reply:
    """Return the reply to a message that a limit holds back; an alarm is raised all the same."""
    metrics.limited(held.limit)
    started = perf_counter()
    notice: Literal["busy", "slow-down"] = "busy" if held.limit == "waiting" else "slow-down"
    return _counted(service.bot().put_off(text, notice, country), started)


def _counted(trace: Trace, started: float) -> Reply:
    metrics.replied(trace.reply, trace.signals, perf_counter() - started)
    return trace.reply
