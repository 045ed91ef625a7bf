"""What is counted and measured, for Prometheus: kinds, ids and durations, never a visitor's words or address."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.context_managers import Timer

from app.models import KINDS, Reply, Signal
from knowledge.schema import Reviewed
from knowledge.signing import Vetted

disable_created_metrics()  # type: ignore[no-untyped-call]  # one time stamp per series, which nobody reads
REGISTRY = CollectorRegistry()
STAGES = ("crisis_gate", "understand", "encode", "opinions", "search", "decide", "compose")
LIMITS = ("session", "address", "waiting", "pages", "body_size", "body_time")
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_replies = Counter("vetted_replies", "Replies, by kind.", ["kind"], registry=REGISTRY)
_abstentions = Counter(
    "vetted_abstentions", "Replies that answer nothing, by the notice shown instead.", ["notice"], registry=REGISTRY
)
_gate_hits = Counter("vetted_gate_hits", "Gates that fired, by what they heard.", ["gate", "label"], registry=REGISTRY)
_reply_seconds = Histogram("vetted_reply_seconds", "From message to reply.", buckets=_BUCKETS_S, registry=REGISTRY)
_stage_seconds = Histogram(
    "vetted_stage_seconds", "One stage of a reply.", ["stage"], buckets=_BUCKETS_S, registry=REGISTRY
)
_limited = Counter("vetted_limited", "Requests held back, by the limit they met.", ["limit"], registry=REGISTRY)
_pages = Gauge("vetted_open_pages", "Pages open now.", registry=REGISTRY)
_base = Info("vetted_base", "The base that is served.", registry=REGISTRY)
_base_texts = Gauge("vetted_base_texts", "Signed texts that are served, by sort.", ["sort"], registry=REGISTRY)
_base_signed = Gauge(
    "vetted_base_last_signed_timestamp_seconds", "Day of the latest sign-off in the base.", registry=REGISTRY
)
_base_opened = Gauge("vetted_base_opened_timestamp_seconds", "When this base was opened.", registry=REGISTRY)
_ready = Gauge("vetted_ready", "1 while questions can be answered, else 0.", registry=REGISTRY)
_swaps = Counter("vetted_index_swaps", "Times another base or index took over.", registry=REGISTRY)

ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
for _kind in KINDS:
    _replies.labels(_kind)
for _stage in STAGES:
    _stage_seconds.labels(_stage)
for _limit in LIMITS:
    _limited.labels(_limit)


def timed(stage: str) -> Timer:
    """Return a decorator that measures how long one stage takes."""
    if stage not in STAGES:
        raise ValueError(f"{stage!r} is not in STAGES")
    timer: Timer = _stage_seconds.labels(stage).time()
    return timer


def replied(reply: Reply, signals: Iterable[Signal], seconds: float) -> None:
    """Count a reply and the gates that fired for it."""
    _replies.labels(reply.kind).inc()
    _reply_seconds.observe(seconds)
    if reply.kind in ("out_of_scope", "invalid"):
        _abstentions.labels(reply.notice_ids[0] if reply.notice_ids else "none").inc()
    for signal in signals:
        _gate_hits.labels(signal.gate, signal.label).inc()


def limited(limit: str) -> None:
    """Count a request that a limit held back."""
    _limited.labels(limit).inc()


def pages(count: int) -> None:
    """Note how many pages are open."""
    _pages.set(count)


def opened(vetted: Vetted, *, ready: bool, swap: bool) -> None:
    """Note which base is served from now on.

    Args:
        vetted: the base.
        ready: whether questions can be answered from it.
        swap: whether it took over from another one in this process.

    """
    _base.info({"digest": vetted.digest})
    groups: Mapping[str, Mapping[str, Reviewed]] = {
        "fact": vetted.facts,
        "error": vetted.known_errors,
        "notice": vetted.notices,
        "help": vetted.help_lines,
    }
    for sort, group in groups.items():
        _base_texts.labels(sort).set(len(group))
    days = [entry.review.on for group in groups.values() for entry in group.values() if entry.review]
    _base_signed.set(datetime.combine(max(days), time(), UTC).timestamp() if days else 0)
    _base_opened.set_to_current_time()
    _ready.set(int(ready))
    _swaps.inc(int(swap))
