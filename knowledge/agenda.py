"""Knowledge base → what waits for somebody: texts to review, and reviews that fall due."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from knowledge.schema import SentBack
from knowledge.signing import Standing, needs_second_review, standing
from knowledge.store import KnowledgeBase


@dataclass(frozen=True)
class Due:
    """A review that falls due: which entry, when, and whether visitors still see it."""

    key: str
    on: date
    standing: Standing


@dataclass(frozen=True)
class Waiting:
    """An entry that is not shown until somebody acts.

    Attributes:
        key: "fact:<id>" and so on.
        author: the role that wrote it and so cannot sign it.
        step: what it waits for; "changes" if it was sent back.
        sent_back: the rejection, if any.

    """

    key: str
    author: str
    step: Literal["review", "second review", "changes"]
    sent_back: SentBack | None = None


def due(base: KnowledgeBase, today: date, days: int) -> tuple[Due, ...]:
    """Return reviews that are overdue or fall due within `days` days, the most urgent first."""
    found = []
    for key, entry in base.signable():
        state = standing(entry, today)
        reviews = (entry.review, entry.second_review if needs_second_review(entry) else None)
        dates = [review.due for review in reviews if review]
        if state in ("signed", "overdue", "withheld") and min(dates) <= today + timedelta(days=days):
            found.append(Due(key, min(dates), state))
    return tuple(sorted(found, key=lambda item: (item.on, item.key)))


def waiting(base: KnowledgeBase, today: date) -> tuple[Waiting, ...]:
    """Return what is a draft or lacks its second review, in the order of the base."""
    found = []
    for key, entry in base.signable():
        state = standing(entry, today)
        if state in ("draft", "half-signed"):
            step: Literal["review", "second review"] = "review" if state == "draft" else "second review"
            found.append(Waiting(key, entry.author, "changes" if entry.sent_back else step, entry.sent_back))
    return tuple(found)
