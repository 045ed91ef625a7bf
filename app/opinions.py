"""Learned opinions on a message: how much it sounds like a crisis, a personal decision, or something out of scope.

One logistic model per label over two views of the same words: the encoder's vector, which knows what words mean, and
word pairs, which keep what the vector blurs ("should i", "took all", "not breathing"). They only ever add to what the
reviewed phrases find.
"""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.metrics import timed


class Opinions(BaseModel):
    """Fitted logistic models.

    Attributes:
        labels: what each row judges: "crisis", "refer", "scope".
        vector_weights: shape (labels, dim).
        terms: words and pairs of neighbouring words → inverse document frequency.
        term_weights: shape (labels, terms), in the order of `terms`.
        bias: shape (labels,).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...]
    vector_weights: tuple[tuple[float, ...], ...]
    terms: dict[str, float]
    term_weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]

    def model_post_init(self, _: Any) -> None:
        """Keep the weights as arrays, so that judging costs two small products."""
        object.__setattr__(self, "_vectors", np.array(self.vector_weights, dtype=np.float32))
        object.__setattr__(self, "_terms", np.array(self.term_weights, dtype=np.float32))
        object.__setattr__(self, "_bias", np.array(self.bias, dtype=np.float32))
        object.__setattr__(self, "_columns", {term: column for column, term in enumerate(self.terms)})

    @timed("opinions")
    def judge(self, heard: str, vector: np.ndarray) -> dict[str, float]:
        """Return label → probability for a message.

        Args:
            heard: its words as the gates hear them (`app.gates.spoken`).
            vector: the encoded message, shape (dim,), length 1.
        """
        columns: dict[str, int] = self._columns  # type: ignore[attr-defined]
        counts = Counter(term for term in pairs(heard) if term in columns)
        weights = {term: (1 + math.log(n)) * self.terms[term] for term, n in counts.items()}
        length = math.sqrt(sum(w * w for w in weights.values())) or 1.0
        rows = [columns[term] for term in weights]
        values = np.array([w / length for w in weights.values()], dtype=np.float32)
        logits = self._vectors @ vector + self._terms[:, rows] @ values + self._bias  # type: ignore[attr-defined]
        return dict(zip(self.labels, (1 / (1 + np.exp(-logits))).tolist(), strict=True))


def pairs(heard: str) -> list[str]:
    """Return the words of a message and every two neighbours."""
    words = heard.split()
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]
