"""Evidence → what kind of reply to give, with which ids, and the reason in one line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.calibration import Calibration
from app.metrics import timed
from app.models import Candidate, Decision, Found, Kind, Signal
from app.understanding import Understood
from knowledge.signing import Vetted

MAX_CHOICES = 4
MAX_RELATED = 3
_AS_CLOSE = 0.5  # of ranking score
_AGAIN = 0.2  # a follow-up seldom asks for what was just shown
_OPENINGS = {"source": ("notice:sources-below",), "insists": ("notice:standing-by-correction",)}


@dataclass(frozen=True)
class Reading:
    """One reading of one part of a message: what retrieval found for it, and how much it sounds like our topic."""

    found: Found
    scope: float


@dataclass(frozen=True)
class Evidence:
    """Everything known about one message when it is decided.

    Attributes:
        understood: the message taken apart.
        parts: for each part its readings, in the order of `understood.parts`.
        shown: ids of the facts and known errors that the last reply showed.
        opinions: learned opinions on the whole message, label → probability.
        signals: gates that fired.
        after_crisis: whether one of the last messages was a crisis.
    """

    understood: Understood
    parts: tuple[tuple[Reading, ...], ...]
    shown: tuple[str, ...]
    opinions: dict[str, float]
    signals: tuple[Signal, ...]
    after_crisis: bool


class Sameness:
    """Whether two entries say the same thing: a known error and the facts that correct it do not rival each other."""

    def __init__(self, vetted: Vetted) -> None:
        self._pairs = {
            frozenset((f"error:{error.id}", f"fact:{fact}"))
            for error in vetted.known_errors.values()
            for fact in error.facts
        }
        self._pairs |= {
            frozenset((f"error:{error}", f"fact:{fact.id}"))
            for fact in vetted.facts.values()
            for error in fact.corrects
        }

    def __call__(self, a: str, b: str) -> bool:
        """Return whether `a` and `b` are one entry, or an error and its correction."""
        return a == b or frozenset((a, b)) in self._pairs


class Decider:
    """Turns evidence into decisions with the fitted thresholds."""

    def __init__(self, vetted: Vetted, calibration: Calibration) -> None:
        self._vetted = vetted
        self._calibration = calibration
        self._same = Sameness(vetted)

    @timed("decide")
    def decide(self, evidence: Evidence) -> tuple[Decision, ...]:
        """Return a decision for each question of the message and, last, the one that holds for the whole."""
        parts = self._parts(evidence)
        return (*parts, self._whole(parts, evidence))

    def _parts(self, evidence: Evidence) -> tuple[Decision, ...]:
        understood = evidence.understood
        if understood.follow_up == "lost":
            return (Decision("clarify", ("notice:clarify-follow-up",), reason="leans on nothing"),)
        if not understood.parts:
            return (_pointed(understood),)
        return tuple(self._meant(readings, evidence.shown) for readings in evidence.parts)

    def _meant(self, readings: tuple[Reading, ...], shown: tuple[str, ...]) -> Decision:
        """Decide the reading that was most likely meant: the one that finds an answer, and not the same one again."""

        def likelihood(decision: Decision) -> float:
            again = bool(decision.ids) and decision.ids[0] in shown
            return (decision.probability or 0.0) - (_AGAIN if again else 0.0)

        return max((self._one(reading.found, reading.scope) for reading in readings), key=likelihood)

    def _whole(self, parts: tuple[Decision, ...], evidence: Evidence) -> Decision:
        thresholds, opinions = self._calibration.thresholds, evidence.opinions
        fired = {signal.gate: signal for signal in evidence.signals}
        care = "care" in fired or opinions["crisis"] >= thresholds.care or evidence.after_crisis
        if opinions["crisis"] >= thresholds.crisis:
            return Decision("crisis", ("notice:crisis-general",), reason=f"learned opinion {opinions['crisis']:.2f}")
        refer = fired.get("refer")
        if refer and opinions["refer"] >= thresholds.refer_phrase:
            return Decision("refer", (f"notice:refer-{refer.label}",), self._offers(evidence.parts), care, refer.phrase)
        if opinions["refer"] >= thresholds.refer:
            reason = f"learned opinion {opinions['refer']:.2f}"
            return Decision("refer", ("notice:refer-personal",), self._offers(evidence.parts), care, reason)
        decision = _joined(parts, dropped=evidence.understood.dropped)
        if "injection" in fired and decision.kind not in ("answer", "correction"):
            return Decision("out_of_scope", ("notice:out-of-scope-injection",), reason=fired["injection"].phrase)
        return replace(decision, care=care)

    def _one(self, found: Found, scope: float) -> Decision:
        """Decide one question: answer, correction, clarify or out_of_scope."""
        if not found.candidates:
            return Decision("out_of_scope", ("notice:out-of-scope",), reason="no candidate", probability=0.0)
        thresholds = self._calibration.thresholds
        probability = self._calibration.answers.probability(self.features(found, scope))
        reason = f"p={probability:.2f}"
        if probability >= thresholds.answer:
            owner = self._corrected(found.candidates)
            kind: Kind = "correction" if owner.startswith("error:") else "answer"
            return Decision(
                kind, (owner,), self._related(owner, found.candidates), reason=reason, probability=probability
            )
        near = self._near(found.candidates)
        if probability >= thresholds.clarify and len(near) > 1:
            return Decision("clarify", ("notice:clarify",), near, reason=reason, probability=probability)
        if probability >= thresholds.offer:
            offers = tuple(dict.fromkeys(self._as_fact(c.owner) for c in found.candidates))[:MAX_RELATED]
            return Decision(
                "out_of_scope", ("notice:out-of-scope-near",), offers, reason=reason, probability=probability
            )
        return Decision("out_of_scope", ("notice:out-of-scope",), reason=reason, probability=probability)

    def features(self, found: Found, scope: float) -> dict[str, float]:
        """Return the evidence for "the first candidate answers": named numbers, about 0 to 1 each."""
        top = found.candidates[0]
        rival = next((c for c in found.candidates[1:] if not self._same(top.owner, c.owner)), None)
        return {
            **top.features,
            "gap": min(top.score - rival.score, 4.0) / 4.0 if rival else 1.0,
            "known_share": found.known_share,
            "scope": scope,
        }

    def _corrected(self, candidates: Sequence[Candidate]) -> str:
        """Return what to show: the first candidate, or the known error beside it that is as close to the question.

        A correction says what the fact says and names the mix-up too, so it answers both who shares it and who asks.
        """
        top = candidates[0]
        beside = (c for c in candidates if c.owner.startswith("error:") and self._same(top.owner, c.owner))
        return next((c.owner for c in beside if top.score - c.score <= _AS_CLOSE), top.owner)

    def _related(self, top: str, candidates: Sequence[Candidate]) -> tuple[str, ...]:
        """Return up to three facts that follow naturally: the entry's own `related`, then its neighbours."""
        kind, _, key = top.partition(":")
        own = self._vetted.facts[key].related if kind == "fact" else self._vetted.known_errors[key].facts
        ids = [f"fact:{k}" for k in own if k in self._vetted.facts]
        ids += [c.owner for c in candidates if c.owner.startswith("fact:") and not self._same(top, c.owner)]
        return tuple(i for i in dict.fromkeys(ids) if i != top)[:MAX_RELATED]

    def _offers(self, parts: tuple[tuple[Reading, ...], ...]) -> tuple[str, ...]:
        """Return facts near a question that is referred: what can be said in general."""
        candidates = parts[0][0].found.candidates if parts else ()
        return tuple(dict.fromkeys(self._as_fact(c.owner) for c in candidates))[:MAX_RELATED]

    def _near(self, candidates: Sequence[Candidate]) -> tuple[str, ...]:
        """Return the facts so close to the first candidate that only the visitor can tell which is meant."""
        gap = self._calibration.thresholds.gap
        close = (self._as_fact(c.owner) for c in candidates if candidates[0].score - c.score <= gap)
        return tuple(dict.fromkeys(close))[:MAX_CHOICES]

    def _as_fact(self, owner: str) -> str:
        """Offer the fact behind a known error: a wrong claim is no title to put on a button."""
        kind, _, key = owner.partition(":")
        return owner if kind == "fact" else f"fact:{self._vetted.known_errors[key].facts[0]}"


def _pointed(understood: Understood) -> Decision:
    ids = understood.pointed
    if not ids:
        return Decision("clarify", ("notice:no-more",), reason="nothing left to show")
    kind: Kind = "correction" if ids[0].startswith("error:") else "answer"
    return Decision(kind, (*_OPENINGS.get(understood.follow_up, ()), *ids), reason=understood.follow_up)


def _joined(parts: tuple[Decision, ...], *, dropped: bool) -> Decision:
    """Return one decision for all parts of a message: what is covered, in order, and a line for what is not."""
    covered = [d for d in parts if d.kind in ("answer", "correction")]
    if len(parts) == 1 or not covered:
        return parts[0]
    ids = tuple(dict.fromkeys(key for d in covered for key in d.ids))
    uncovered = ("notice:partly-covered",) if dropped or len(covered) < len(parts) else ()
    kind: Kind = "correction" if any(d.kind == "correction" for d in covered) else "answer"
    offers = tuple(dict.fromkeys(key for d in covered for key in d.offers if key not in ids))[:MAX_RELATED]
    reason = "; ".join(d.reason for d in parts)
    return Decision(
        kind, (*ids, *uncovered), offers, reason=reason, probability=min(d.probability or 0 for d in covered)
    )
