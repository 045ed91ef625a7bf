"""What visitors chose to send: kept with consent only, scrubbed, grouped, expired; on SQLite and on PostgreSQL."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app.feedback import MAX_CHARS, Feedback, Note
from app.scrub import Scrubber
from app.settings import Settings
from knowledge.errors import FeedbackError
from knowledge.lexicon import Lexicon
from knowledge.store import load
from tests import fakes

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
CANARY = "zyxcanaryxyz"
ENCODER = fakes.HashEncoder()


class Clock:
    """A day that a test can move."""

    def __init__(self) -> None:
        self.day = fakes.TODAY

    def __call__(self) -> date:
        """Return the day."""
        return self.day


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this test run on loopback: its URL without the name of a database."""
    if BIN is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # the server refuses to run as root
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="feedback-pg-"))
    try:
        if user:
            shutil.chown(folder, "postgres")

        def run(*command: object) -> None:
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)

        run(BIN / "initdb", "-D", folder / "d", "-U", "tester", "--auth=trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [BIN / "pg_ctl", "-D", folder / "d", "-w", "-l", folder / "log"]
        run(*control, "-o", options, "start")
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}/"
        run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, on either database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'feedback.db'}"
    server = request.getfixturevalue("postgres")
    name = f"t{uuid4().hex}"
    port = server.rsplit(":", 1)[1].strip("/")
    subprocess.run([BIN / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "tester", name], check=True)
    return server + name


@pytest.fixture
def lexicon(home: Path) -> Lexicon:
    """The tiny base's lexicon."""
    return Lexicon(load(home)[0].entities)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def feedback(url: str, home: Path, clock: Clock) -> Feedback:
    """An empty store that shows what two people asked."""
    return Feedback(url, Scrubber.of(fakes.vetted_of(home)), today=clock, min_group=2)


@pytest.fixture
def ask(feedback: Feedback) -> Callable[..., bool]:
    """Send a question that found no answer."""
    return lambda text, visit="": feedback.record(Note("unanswered", text, visit=visit), consent=True)


def test_nothing_is_kept_without_consent(feedback: Feedback) -> None:
    """P7: not a word, not even a count."""
    note = Note("unhelpful", CANARY, CANARY, ("fact:x",))
    assert feedback.record(note, consent=False) is False
    assert feedback.counts() == {}


def test_nothing_is_on_disk_without_consent_and_nothing_after_it_expires(
    home: Path, tmp_path: Path, clock: Clock
) -> None:
    """Every byte of the data folder is searched for a marker: before consent, with it, and after ninety days."""

    def on_disk() -> bool:
        return any(CANARY.encode() in file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())

    feedback = Feedback(f"sqlite:///{tmp_path / 'data' / 'f.db'}", Scrubber.of(fakes.vetted_of(home)), today=clock)
    note = Note("unanswered", f"what does {CANARY} do")
    feedback.record(note, consent=False)
    assert not on_disk()
    feedback.record(note, consent=True)
    assert on_disk()
    clock.day += timedelta(days=91)
    assert feedback.expire() == 1
    assert not on_disk()


def test_what_is_kept_is_what_was_shown(feedback: Feedback, ask: Callable[..., bool], lexicon: Lexicon) -> None:
    """The visitor saw these exact words before they agreed."""
    typed = "my name is Siobhan, call 087 123 4567, does lsd hurt"
    assert ask(typed)
    assert ask(typed)
    (group,) = feedback.groups(lexicon, ENCODER)
    assert group.asks == (feedback.preview(typed),)
    assert group.asks == ("my name is [name], call [number], does lsd hurt",)


def test_a_question_is_shown_only_when_enough_people_asked(
    feedback: Feedback, ask: Callable[..., bool], lexicon: Lexicon
) -> None:
    """One is not enough; a second visitor with a similar question is."""
    ask("does lsd hurt the liver", "a")
    assert feedback.groups(lexicon, ENCODER) == ()
    ask("does acid hurt the liver", "b")
    (group,) = feedback.groups(lexicon, ENCODER)
    assert (group.people, group.kind) == (2, "unanswered")
    assert group.asks == ("does acid hurt the liver", "does lsd hurt the liver")


def test_one_visitor_is_one_person(feedback: Feedback, ask: Callable[..., bool], lexicon: Lexicon) -> None:
    """Asking five times does not make five people."""
    for _ in range(5):
        ask("does lsd hurt the liver", "the same tab")
    assert feedback.groups(lexicon, ENCODER) == ()


def test_different_questions_are_different_groups(
    feedback: Feedback, ask: Callable[..., bool], lexicon: Lexicon
) -> None:
    """Most people first."""
    for text, people in (("does lsd hurt the liver", 2), ("how long does cocaine stay in urine", 3)):
        for _ in range(people):
            ask(text)
    groups = feedback.groups(lexicon, ENCODER)
    assert [(group.asks[0], group.people) for group in groups] == [
        ("how long does cocaine stay in urine", 3),
        ("does lsd hurt the liver", 2),
    ]


def test_the_order_of_arrival_does_not_change_the_groups(home: Path, lexicon: Lexicon, clock: Clock) -> None:
    """The same notes make the same groups."""
    texts = ["does lsd hurt the liver", "does acid hurt the liver", "does cocaine hurt the heart", "is cocaine bad"]
    found = []
    for order in (texts, texts[::-1]):
        feedback = Feedback("sqlite://", Scrubber.of(fakes.vetted_of(home)), today=clock, min_group=1)
        for text in order:
            feedback.record(Note("unhelpful", text), consent=True)
        found.append(feedback.groups(lexicon, ENCODER))
    assert found[0] == found[1]


def test_feedback_is_gone_after_ninety_days(
    feedback: Feedback, ask: Callable[..., bool], clock: Clock, lexicon: Lexicon
) -> None:
    """On the ninetieth day it is there, on the next it is not, even if nobody calls `expire`."""
    ask("does lsd hurt the liver")
    ask("does lsd hurt the liver")
    clock.day += timedelta(days=90)
    assert len(feedback.groups(lexicon, ENCODER)) == 1
    clock.day += timedelta(days=1)
    assert feedback.groups(lexicon, ENCODER) == ()
    assert feedback.counts() == {}


def test_a_report_of_a_mistake_is_shown_at_once_without_the_question(feedback: Feedback) -> None:
    """A wrong text must not wait for more readers; who asked what stays hidden."""
    note = Note("mistake", f"my secret question {CANARY}", "Dr Smith says the second sentence is wrong", ("fact:a-b",))
    feedback.record(note, consent=True)
    (report,) = feedback.reports()
    assert report.comment == "Dr [name] says the second sentence is wrong"
    assert report.shown == ("fact:a-b",)
    assert CANARY not in repr(report)


def test_a_thumb_alone_is_counted(feedback: Feedback, lexicon: Lexicon) -> None:
    """No words, no group, one count."""
    feedback.record(Note("helpful", shown=("fact:a",)), consent=True)
    feedback.record(Note("unhelpful", shown=("fact:a",)), consent=True)
    assert feedback.counts() == {"helpful": 1, "unhelpful": 1}
    assert feedback.groups(lexicon, ENCODER) == ()


@pytest.mark.parametrize(
    "text", ["'); DROP TABLE notes; --", "\x00\ud800 lsd", "x" * 100_000, "<script>alert(1)</script>", "\n" * 50]
)
def test_hostile_text_is_kept_as_text(feedback: Feedback, text: str) -> None:
    """It is cut to length, cleaned, stored and read back."""
    assert feedback.record(Note("mistake", text, text), consent=True)
    (report,) = feedback.reports()
    assert report.comment == feedback.preview(text)
    assert len(report.comment) <= MAX_CHARS


def test_a_flood_ends_at_a_limit(feedback: Feedback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store does not grow without end."""
    monkeypatch.setattr("app.feedback.MAX_KEPT", 3)
    kept = [feedback.record(Note("helpful"), consent=True) for _ in range(5)]
    assert kept == [True, True, True, False, False]


def test_an_unknown_kind_is_refused(feedback: Feedback) -> None:
    """Nothing arbitrary is stored."""
    with pytest.raises(FeedbackError, match="unknown kind"):
        feedback.record(Note("anything"), consent=True)  # type: ignore[arg-type]


def test_a_broken_store_says_nothing_of_what_was_sent(home: Path, tmp_path: Path, clock: Clock) -> None:
    """The error, with everything attached to it, holds none of the visitor's words."""
    file = tmp_path / "f.db"
    feedback = Feedback(f"sqlite:///{file}", Scrubber.of(fakes.vetted_of(home)), today=clock)
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(FeedbackError) as caught:
        feedback.record(Note("unanswered", f"what does {CANARY} do"), consent=True)
    error: BaseException | None = caught.value
    assert CANARY not in str(error)
    assert error is not None
    assert error.__suppress_context__


def test_a_store_that_cannot_be_opened_says_which_setting_to_mend(home: Path, clock: Clock, tmp_path: Path) -> None:
    """And never the password in the URL."""
    (tmp_path / "file").write_text("x")
    for url in (f"sqlite:///{tmp_path}/file/f.db", "postgresql+psycopg://u:hunter2@127.0.0.1:1/x", "nonsense", "a://b"):
        with pytest.raises(FeedbackError, match="FEEDBACK_URL") as caught:
            Feedback(url, Scrubber.of(fakes.vetted_of(home)), today=clock)
        assert "hunter2" not in str(caught.value)


def test_the_settings_open_a_private_file_in_the_data_folder(home: Path, tmp_path: Path, clock: Clock) -> None:
    """By default it is SQLite, in a folder that others on the machine cannot read."""
    settings = Settings(knowledge_dir=home, data_dir=tmp_path / "deep" / "data")
    feedback = Feedback.open(settings, fakes.vetted_of(home), clock)
    assert feedback.record(Note("helpful"), consent=True)
    assert (settings.data_dir / "feedback.db").exists()
    assert settings.data_dir.stat().st_mode & 0o077 == 0
