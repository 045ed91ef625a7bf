"""A sentence → the known error it asserts, if any. Reads the registry, never the app: the grader is not the graded.

A sentence asserts an error when it is close to sentences that assert it, closer than to look-alikes that do not, and
carries no sign of denial or of merely reporting what others say.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from knowledge.encoder import Encoder
from knowledge.schema import KnownError
from knowledge.text import normal, sentences

_CLOSE = 0.72  # cosine to an assertion; chosen on the registry's own sentences, each left out in turn
_MARGIN = 0.02  # how much closer than to any look-alike
_DENIAL = re.compile(
    r"\b(?:not|no|never|n't|cannot|wrong|false|myth|untrue|incorrect|mistaken|misleading|mix-up|backwards?|instead|"
    r"rather than|unproven|too simple|some (?:people|articles|sites|say)|people (?:say|think|believe)|"
    r"it is (?:often|sometimes) (?:said|claimed)|nobody|neither|nor|without|does little|little evidence)\b|n't\b"
)


@dataclass(frozen=True)
class Finding:
    """One sentence that asserts a known error."""

    error: str
    sentence: str
    cosine: float


class Detector:
    """Compares sentences with the assertions and look-alikes of every known error."""

    def __init__(self, errors: Mapping[str, KnownError], encoder: Encoder, true_texts: Iterable[str] = ()) -> None:
        """Take the registry, and further texts known to be true, which count as look-alikes."""
        self._encoder = encoder
        asserted = [(e.id, text) for e in errors.values() for text in (e.claim, *e.assertions)]
        harmless = [(e.id, text) for e in errors.values() for text in (*e.lookalikes, *sentences(e.correction))]
        harmless += [("", sentence) for text in true_texts for sentence in sentences(text)]
        self._owners = np.array([owner for owner, _ in asserted])
        self._negated = np.array([bool(_DENIAL.search(normal(text))) for _, text in asserted])
        self._asserted = encoder.encode([normal(text) for _, text in asserted])
        self._harmless = encoder.encode([normal(text) for _, text in harmless])
        self._cache: dict[str, tuple[Finding, ...]] = {}

    def findings(self, text: str) -> tuple[Finding, ...]:
        """Return every sentence of `text` that asserts a known error."""
        if text not in self._cache:
            self._cache[text] = tuple(self._judge(sentences(text)))
        return self._cache[text]

    def _judge(self, found: tuple[str, ...]) -> Iterable[Finding]:
        if not found:
            return
        vectors = self._encoder.encode([normal(s) for s in found])
        near, safe = vectors @ self._asserted.T, (vectors @ self._harmless.T).max(axis=1)
        for sentence, cosines, harmless in zip(found, near, safe, strict=True):
            best = int(cosines.argmax())
            denied = bool(_DENIAL.search(normal(sentence))) != bool(self._negated[best])
            if cosines[best] >= _CLOSE and cosines[best] >= harmless + _MARGIN and not denied:
                yield Finding(str(self._owners[best]), sentence, float(cosines[best]))
