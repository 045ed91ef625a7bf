"""Evidence → what kind of reply to give, with which ids, and the reason in one line."""

from collections.abc import Sequence

from app.calibration import Calibration
from app.models import Candidate, Decision, Found
from knowledge.signing import Vetted

MAX_CHOICES = 4
MAX_RELATED = 3


def evidence(found: Found, opinions: dict[str, float], same: "Sameness") -> dict[str, float]:
    """Return the features of "the first candidate answers": named numbers, about 0 to 1 each."""
    top = found.candidates[0]
    rival = next((c for c in found.candidates[1:] if not same(top.owner, c.owner)), None)
    return {
        **{
            name: top.features[name] for name in ("dense", "dense3", "lexical", "lexical3", "entities_met", "needs_met")
        },
        "gap": min(top.score - rival.score, 4.0) / 4.0 if rival else 1.0,
        "known_share": found.facts["known_share"],
        "scope": opinions["scope"],
    }


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
        return a == b or frozenset((a, b)) in self._pairs


def decide(
    found: Found, opinions: dict[str, float], calibration: Calibration, vetted: Vetted, same: Sameness
) -> Decision:
    """Return answer, correction, clarify or out_of_scope for one question."""
    if not found.candidates:
        return Decision("out_of_scope", ("notice:out-of-scope",), reason="no candidate", probability=0.0)
    thresholds = calibration.thresholds
    top = found.candidates[0]
    probability = calibration.answers.probability(evidence(found, opinions, same))
    offers = related(found.candidates, vetted, same)
    if probability >= thresholds.answer:
        kind = "correction" if top.owner.startswith("error:") else "answer"
        return Decision(kind, (top.owner,), offers, reason=f"p={probability:.2f}", probability=probability)
    near = _near(found.candidates, thresholds.gap, same)
    if probability >= thresholds.clarify and len(near) > 1:
        reason = f"p={probability:.2f}, {len(near)} near"
        return Decision("clarify", ("notice:clarify",), near, reason=reason, probability=probability)
    if probability >= thresholds.clarify / 2:
        offered = tuple(dict.fromkeys(_as_fact(c.owner, vetted) for c in found.candidates))[:MAX_RELATED]
        reason = f"p={probability:.2f}"
        return Decision("out_of_scope", ("notice:out-of-scope-near",), offered, reason=reason, probability=probability)
    return Decision("out_of_scope", ("notice:out-of-scope",), reason=f"p={probability:.2f}", probability=probability)


def related(candidates: Sequence[Candidate], vetted: Vetted, same: Sameness) -> tuple[str, ...]:
    """Return up to three facts that follow naturally from the first candidate: its own `related`, then its neighbours."""
    top = candidates[0].owner
    kind, _, key = top.partition(":")
    own = vetted.facts[key].related if kind == "fact" else vetted.known_errors[key].facts
    ids = [f"fact:{k}" for k in own if k in vetted.facts]
    ids += [c.owner for c in candidates[1:] if c.owner.startswith("fact:") and not same(top, c.owner)]
    return tuple(i for i in dict.fromkeys(ids) if i != top)[:MAX_RELATED]


def _near(candidates: Sequence[Candidate], gap: float, same: Sameness) -> tuple[str, ...]:
    top = candidates[0]
    near: list[str] = []
    for candidate in candidates:
        if top.score - candidate.score <= gap and not any(same(candidate.owner, chosen) for chosen in near):
            near.append(candidate.owner)
    return tuple(near[:MAX_CHOICES])


def _as_fact(owner: str, vetted: Vetted) -> str:
    """Offer the fact behind a known error: a wrong claim is no title to put on a button."""
    kind, _, key = owner.partition(":")
    return owner if kind == "fact" else f"fact:{vetted.known_errors[key].facts[0]}"
