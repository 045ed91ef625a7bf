"""TF-IDF over views: shared rare words count, common ones hardly do.

Weight of a term in a text: (1 + log tf) · idf with idf = log((1 + n) / (1 + df)) + 1, vectors of length 1, so that the
score of two texts is a cosine in [0, 1] (Salton & Buckley 1988, the smoothed form of scikit-learn). Kept here because a
handful of array operations per question is all it takes, and the postings can be read.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.text import tokens

# Words that carry no topic. Negations and question words stay: "why" and "not" tell facts apart.
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "am",
        "do",
        "does",
        "did",
        "it",
        "its",
        "this",
        "that",
        "i",
        "my",
        "me",
    ]
)


@dataclass(frozen=True)
class Lexical:
    """An inverted index.

    Attributes:
        postings: term → (rows, weights), both shape (df,); weights of rows of length 1.
        idf: term → inverse document frequency.
        size: number of texts.

    """

    postings: dict[str, tuple[np.ndarray, np.ndarray]]
    idf: dict[str, float]
    size: int

    @classmethod
    def build(cls, texts: Sequence[str]) -> "Lexical":
        """Index `texts` (canonical words)."""
        counts = [Counter(terms(text)) for text in texts]
        frequency = Counter(term for count in counts for term in count)
        idf = {term: math.log((1 + len(texts)) / (1 + df)) + 1 for term, df in frequency.items()}
        found: dict[str, tuple[list[int], list[float]]] = {}
        for row, count in enumerate(counts):
            for term, weight in _unit({t: (1 + math.log(n)) * idf[t] for t, n in count.items()}).items():
                rows, weights = found.setdefault(term, ([], []))
                rows.append(row)
                weights.append(weight)
        postings = {t: (np.array(r, dtype=np.int64), np.array(w, dtype=np.float32)) for t, (r, w) in found.items()}
        return cls(postings, idf, len(texts))

    def scores(self, text: str) -> np.ndarray:
        """Return the cosine of `text` with every indexed text: float32, shape (n,)."""
        scores = np.zeros(self.size, dtype=np.float32)
        unseen = math.log(1 + self.size) + 1  # a word no text has still lengthens the question's vector
        count = Counter(terms(text))
        for term, weight in _unit({t: (1 + math.log(n)) * self.idf.get(t, unseen) for t, n in count.items()}).items():
            if term in self.postings:
                rows, weights = self.postings[term]
                scores[rows] += weight * weights
        return scores

    def known_share(self, text: str) -> float:
        """Return how much of the weight of `text` lies on words that some indexed text has: 0 to 1."""
        unseen = math.log(1 + self.size) + 1
        weights = {t: self.idf.get(t, unseen) for t in terms(text)}
        total = sum(weights.values())
        return sum(w for t, w in weights.items() if t in self.idf) / total if total else 0.0


def terms(text: str) -> list[str]:
    """Return the stemmed content words of a canonical text."""
    return [_stem(word) for word in tokens(text) if word not in _EMPTY]


def _stem(word: str) -> str:
    """Cut the commonest English endings; enough to join "works", "worked" and "working"."""
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def _unit(weights: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(w * w for w in weights.values()))
    return {term: w / length for term, w in weights.items()} if length else {}
