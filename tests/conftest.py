"""Fixtures: the tiny base and its bot, and the real bot on the repository's own base."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from app.bot import Bot
from app.settings import Settings
from evals.detector import Detector
from knowledge.encoder import MiniLM
from tests import fakes

# The same examples in every run: a failure can be run again, and nothing is red only on Tuesdays.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("suite")

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """Undo what a test did to structlog."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a tiny signed base; a test may break it."""
    return fakes.write_base(tmp_path / "knowledge")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    """A bot on the tiny base, shared: nothing in it changes."""
    folder = tmp_path_factory.mktemp("tiny")
    return fakes.bot_of(fakes.write_base(folder / "knowledge"), folder / "index")


@pytest.fixture(scope="session")
def encoder() -> MiniLM:
    """The real encoder."""
    return MiniLM()


@pytest.fixture(scope="session")
def bot(encoder: MiniLM) -> Bot:
    """The real bot on the repository's own base and index."""
    opened = Bot.open(Settings(), encoder=encoder)
    assert opened.ready, "the index or the encoder is not available: see the log lines"
    return opened


@pytest.fixture(scope="session")
def detector(bot: Bot) -> Detector:
    """The detector of known errors, on the real registry."""
    return Detector(bot.vetted.known_errors, MiniLM(adapter=None))
