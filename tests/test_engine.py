"""Cases × a target → judged turns."""

from dataclasses import replace

import numpy as np
import pytest

from app.bot import Bot
from app.models import Reply
from evals.detector import Detector
from evals.latency import latency
from evals.scorers import Bench, error_free
from evals.targets import Answer
from evals.warm import Warm
from knowledge.text import clean, plain
from tests import fakes


class Counting(fakes.HashEncoder):
    """Counts the texts it encodes."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        """See `Encoder.encode`."""
        self.encoded += texts
        return super().encode(texts)


def test_a_warm_encoder_gives_the_same_vectors_and_encodes_each_text_once() -> None:
    """The app must not notice who encoded its questions."""
    warm = Warm(inner := Counting())
    texts = ["what is lsd", "what is narcan", "what is lsd"]
    assert np.array_equal(warm.encode(texts), fakes.HashEncoder().encode(texts))
    warm.encode(texts)
    assert inner.encoded == texts[:2]
    assert warm.fingerprint == inner.fingerprint


@pytest.mark.parametrize("message", ["Is acid an ANTAGONIST?", "h\u200bow does cocaine work", "what is narcan"])
def test_a_warmed_message_costs_the_app_no_encoding(tiny: Bot, message: str) -> None:
    """Messages are warmed in the words that the app will ask for."""
    warm = Warm(inner := Counting())
    warm.warm([message], tiny.vetted.lexicon)
    before = len(inner.encoded)
    trace = tiny.trace(message)
    assert trace.understood
    asked = [q for part in trace.understood.parts for q in part]
    warm.encode([plain(clean(message)), *(words for q in asked for words in (q.canonical, q.plain))])
    assert len(inner.encoded) == before


def test_latency_is_measured_without_the_warmth(tiny: Bot) -> None:
    """Every message is encoded anew in the reply and in what it is compared with."""
    warm = Warm(inner := Counting())

    class Asking(Bot):
        def reply(self, text: object, *_: object) -> Reply:
            warm.encode([str(text)])
            return tiny.reply(text)

    bot = Asking(tiny.settings, tiny.vetted, None)
    found = latency(bot, warm, ["what is lsd", "what is narcan"])
    warming = 2
    assert len(found.reply_ms) == len(found.least_ms) == 2
    assert len(inner.encoded) == warming + 2 * 2
    assert found.ratio > 0
    assert replace(found, reply_ms=(1.0, 3.0, 5.0), least_ms=(1.5,)).ratio == 2.0


def test_the_detector_is_built_only_for_what_nobody_signed(tiny: Bot) -> None:
    """Signed text is not judged again; one unsigned sentence is."""
    built = []

    def build() -> Detector:
        built.append(True)
        return Detector(tiny.vetted.known_errors, fakes.HashEncoder())

    bench = Bench.of(tiny.vetted, build)
    signed = fakes.LSD["answer"]
    score = error_free(None, Answer("answer", signed), bench)  # type: ignore[arg-type]
    assert (score.value, built) == (1.0, [])
    score = error_free(None, Answer("answer", f"{signed} LSD blocks serotonin receptors."), bench)  # type: ignore[arg-type]
    assert (score.value, built) == (0.0, [True])
    assert "LSD blocks" in score.evidence
