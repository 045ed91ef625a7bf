"""Fitted numbers of the path, read from one file: ranking weights, learned opinions, thresholds.

`evals fit` writes the file from the development split only; it records the encoder's fingerprint, the digest of the
data and the metrics it was accepted with. A file fitted with another encoder is refused.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.opinions import Opinions
from knowledge.errors import EncoderError

HERE = Path(__file__).with_name("calibration.json")


class Linear(BaseModel):
    """A logistic model over named features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float]
    bias: float

    def logit(self, features: Mapping[str, float]) -> float:
        """Return bias + Σ weight · feature; a feature that is missing counts as 0."""
        return self.bias + sum(w * features.get(name, 0.0) for name, w in self.weights.items())

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the logistic function of `logit`: 0 to 1."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, self.logit(features)))))


class Thresholds(BaseModel):
    """Where probabilities turn into decisions. Chosen on the development split within a refusal budget."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: float  # at or above: show the fact
    clarify: float  # at or above, with several near candidates: ask which one is meant
    offer: float  # at or above: no answer, but the nearest questions are offered
    gap: float  # two candidates closer than this (difference of ranking scores) are "near"
    crisis: float  # the learned opinion adds a crisis at or above this
    care: float  # and a care notice at or above this
    refer: float  # the learned opinion adds a referral at or above this
    refer_phrase: float  # and a phrase refers at or above this: the same words also stand in general questions


class Calibration(BaseModel):
    """Everything fitted, with what it was fitted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str
    data_digest: str
    ranking: Linear
    answers: Linear
    opinions: Opinions
    thresholds: Thresholds
    metrics: dict[str, float]

    def rank(self, features: Mapping[str, float]) -> float:
        """Return the ranking score of a candidate; only its order within one question matters."""
        return self.ranking.logit(features)


def load_calibration(encoder_fingerprint: str, file: Path = HERE) -> Calibration:
    """Read the fitted file.

    Raises:
        EncoderError: the file is missing, unreadable or was fitted with another encoder.

    """
    try:
        calibration = Calibration.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{file} cannot be read: run `evals fit`") from error
    if calibration.encoder != encoder_fingerprint:
        raise EncoderError(f"{file} was fitted with {calibration.encoder}, not {encoder_fingerprint}: run `evals fit`")
    return calibration
