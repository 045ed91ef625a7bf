"""What visitors chose to send → what editors may see: scrubbed, grouped, and gone after some weeks.

Nothing is kept without consent, and what is kept is word for word what the visitor was shown (`preview`). A question
reaches an editor only when enough different visitors asked something like it; a report of a mistake reaches them at
once, because a wrong text must not wait for four more readers.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sqlalchemy import (
    Column,
    Connection,
    Date,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy import delete as delete_from
from sqlalchemy.engine import RowMapping, make_url
from sqlalchemy.exc import SQLAlchemyError

from app.scrub import Scrubber
from app.settings import Settings
from knowledge.encoder import Encoder
from knowledge.errors import FeedbackError
from knowledge.lexicon import Lexicon
from knowledge.signing import Vetted

Kind = Literal["unanswered", "helpful", "unhelpful", "mistake"]
T = TypeVar("T")
MAX_CHARS = 2000  # of a question or a comment
MAX_KEPT = 50_000  # notes; a flood fills this and no more
MAX_GROUPED = 2_000  # newest notes of a kind that are compared with each other; the cost grows with the square
# Average cosine distance within a group. On six phrasings each of sixty facts, .40 puts 53 % of the pairs of one fact
# together, and 72 % of the pairs it joins are of one fact; .45 joins more, of which only 59 % belong.
_NEAR = 0.40

_metadata = MetaData()
_notes = Table(
    "notes",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("received_on", Date, nullable=False, index=True),  # a day: a minute could be matched with a visit
    Column("sender", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("shown", Text, nullable=False),  # ids of the texts shown, separated by spaces
)


@dataclass(frozen=True)
class Note:
    """What one visitor chose to send.

    Attributes:
        kind: "unanswered" (no checked answer was found), "helpful", "unhelpful", or "mistake" (a report).
        question: the question as typed; empty if the visitor did not add it.
        comment: the visitor's remark; empty if there is none.
        shown: ids of the texts that were shown ("fact:…", "error:…", "notice:…").
        visit: a random text of this browser tab, so that five notes from one visitor do not count as five people.

    """

    kind: Kind
    question: str = ""
    comment: str = ""
    shown: tuple[str, ...] = ()
    visit: str = ""


@dataclass(frozen=True)
class Group:
    """Similar notes, as an editor sees them.

    Attributes:
        kind: the kind that all of them have.
        asks: the different questions, scrubbed, most frequent first; the first one stands for the group.
        people: how many different visitors sent them.
        shown: ids of the texts they had been shown, most frequent first.
        since: the day of the oldest note.

    """

    kind: Kind
    asks: tuple[str, ...]
    people: int
    shown: tuple[str, ...]
    since: date


@dataclass(frozen=True)
class Report:
    """One visitor's report of a mistake: the scrubbed comment and the texts it is about. Never the question."""

    comment: str
    shown: tuple[str, ...]
    on: date


class Feedback:
    """The notes of one deployment. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        scrubber: Scrubber,
        *,
        today: Callable[[], date],
        min_group: int = 5,
        keep: timedelta = timedelta(days=90),
    ) -> None:
        """Open the store, making its table where there is none.

        Args:
            url: SQLAlchemy URL, such as sqlite:////data/feedback.db or postgresql+psycopg://user:password@host/base.
            scrubber: takes out what identifies.
            today: the clock.
            min_group: different visitors who must have asked before an editor sees the questions.
            keep: how long a note is kept.

        Raises:
            FeedbackError: the store cannot be opened.

        """
        self.min_group = min_group
        self._scrubber, self._today, self._keep = scrubber, today, keep
        try:
            self._engine = _engine(url)
            _metadata.create_all(self._engine)
        except (SQLAlchemyError, OSError, ImportError) as error:
            raise FeedbackError(
                f"cannot open the feedback store ({type(error).__name__}): check FEEDBACK_URL"
            ) from None

    @classmethod
    def open(cls, settings: Settings, vetted: Vetted, today: Callable[[], date]) -> "Feedback":
        """Open the store that the settings name; by default a SQLite file in the data folder."""
        url = settings.feedback_url.get_secret_value() if settings.feedback_url else ""
        return cls(
            url or f"sqlite:///{settings.data_dir / 'feedback.db'}",
            Scrubber.of(vetted),
            today=today,
            min_group=settings.min_group,
            keep=timedelta(days=settings.feedback_days),
        )

    def preview(self, text: str) -> str:
        """Return exactly what would be kept of `text`. Show it to the visitor before they consent."""
        return self._scrubber.scrub(text[:MAX_CHARS])

    def record(self, note: Note, *, consent: bool) -> bool:
        """Keep `note`, scrubbed, if the visitor consented to just this; return whether it was kept.

        Pressing "send" under the previewed words is consent. A thumb alone, without words, is consent to count it.

        Raises:
            FeedbackError: the store does not answer. The message holds none of the visitor's words.

        """
        if not consent:
            return False
        if note.kind not in get_args(Kind):
            raise FeedbackError(f"unknown kind of feedback: use one of {', '.join(get_args(Kind))}")
        row = {
            "kind": note.kind,
            "received_on": self._today(),
            "sender": hashlib.sha256((note.visit or secrets.token_hex()).encode("utf-8", "replace")).hexdigest(),
            "question": self.preview(note.question),
            "comment": self.preview(note.comment),
            "shown": " ".join(key for key in note.shown if " " not in key)[:MAX_CHARS],
        }
        return self._run(lambda connection: self._kept(connection, row))

    def _kept(self, connection: Connection, row: Mapping[str, object]) -> bool:
        self._drop_old(connection)
        if (connection.scalar(select(func.count()).select_from(_notes)) or 0) >= MAX_KEPT:
            return False
        connection.execute(insert(_notes).values(row))
        return True

    def expire(self) -> int:
        """Delete what is older than `keep`; return how many notes went. `record` and the readers do it too."""
        return self._run(self._drop_old)

    def _drop_old(self, connection: Connection) -> int:
        return connection.execute(delete_from(_notes).where(_notes.c.received_on < self._today() - self._keep)).rowcount

    def groups(self, lexicon: Lexicon, encoder: Encoder) -> tuple[Group, ...]:
        """Return what at least `min_group` visitors asked and got no answer to, or a bad one; most people first."""
        found: list[Group] = []
        for kind in ("unanswered", "unhelpful"):
            notes = [note for note in self._of_kind(kind) if note["question"]]
            found += [g for g in _grouped(notes, lexicon, encoder) if g.people >= self.min_group]
        return tuple(sorted(found, key=lambda g: (-g.people, g.asks)))

    def reports(self) -> tuple[Report, ...]:
        """Return the reports of mistakes, newest first."""
        notes = self._of_kind("mistake")
        return tuple(Report(note["comment"], tuple(note["shown"].split()), note["received_on"]) for note in notes)

    def counts(self) -> dict[str, int]:
        """Return how many notes of each kind are kept."""
        by_kind = select(_notes.c.kind, func.count()).group_by(_notes.c.kind)
        return self._run(lambda connection: {row[0]: row[1] for row in connection.execute(by_kind)})

    def _of_kind(self, kind: str) -> Sequence[RowMapping]:
        wanted = select(_notes).where(_notes.c.kind == kind).order_by(_notes.c.id.desc()).limit(MAX_GROUPED)

        def read(connection: Connection) -> Sequence[RowMapping]:
            self._drop_old(connection)
            return connection.execute(wanted).mappings().all()

        return self._run(read)

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:  # its message may quote a visitor: only its kind goes on
            raise FeedbackError(f"the feedback store does not answer ({type(error).__name__})") from None


def _engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        if database := make_url(url).database:
            Path(database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        event.listen(engine, "connect", _sqlite_setup)
    return engine


def _sqlite_setup(connection: Any, _: object) -> None:
    """Overwrite with zeros what is deleted, in the one file there is; wait (ms) while another process writes."""
    for pragma in ("journal_mode = DELETE", "secure_delete = ON", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


def _grouped(notes: Sequence[RowMapping], lexicon: Lexicon, encoder: Encoder) -> list[Group]:
    """Join notes whose questions mean nearly the same: average linkage on cosines of their canonical forms."""
    texts = sorted({note["question"] for note in notes})
    if not texts:
        return []
    labels = np.zeros(len(texts), dtype=int)
    if len(texts) > 1:
        vectors = encoder.encode([lexicon.canonical(text) for text in texts])
        model = AgglomerativeClustering(n_clusters=None, metric="cosine", linkage="average", distance_threshold=_NEAR)
        labels = model.fit_predict(vectors)
    label_of = dict(zip(texts, labels, strict=True))
    members: dict[int, list[RowMapping]] = {}
    for note in notes:
        members.setdefault(label_of[note["question"]], []).append(note)
    return [_group(rows) for rows in members.values()]


def _group(notes: Sequence[RowMapping]) -> Group:
    asks = Counter(note["question"] for note in notes)
    shown = Counter(key for note in notes for key in note["shown"].split())
    return Group(
        kind=notes[0]["kind"],
        asks=_most_frequent(asks),
        people=len({note["sender"] for note in notes}),
        shown=_most_frequent(shown),
        since=min(note["received_on"] for note in notes),
    )


def _most_frequent(counted: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))
