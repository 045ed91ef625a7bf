"""A draft → the bot that visitors would meet once it is signed. In memory only: nothing is written or served."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from app.bot import Bot
from app.decision import Decider
from app.models import Reply
from knowledge.index import Index, views_of
from knowledge.schema import Fact, KnownError
from knowledge.signing import sign

_NEIGHBOURS = 6


@dataclass(frozen=True)
class Asked:
    """What a visitor reads for one question: today, and once the draft is signed."""

    question: str
    now: Reply
    then: Reply


@dataclass(frozen=True)
class _Memory(Index):
    """An index that is searched without a store."""

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[str, float]]:
        """See `Index.nearest`."""
        cosines = self.vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(self.views[row].id, float(cosines[row])) for row in best]


def with_draft(bot: Bot, draft: Fact | KnownError, today: date) -> Bot:
    """Return a bot that answers as if `draft` were signed, in place of the entry of that id if there is one.

    The bot itself if its index is not available.
    """
    if bot.engine is None:
        return bot
    signed = _as_if_signed(draft, today)
    if isinstance(signed, Fact):
        vetted = replace(bot.vetted, facts={**bot.vetted.facts, signed.id: signed})
    else:
        vetted = replace(bot.vetted, known_errors={**bot.vetted.known_errors, signed.id: signed})
    retrieval = bot.engine.retrieval
    fresh = views_of(draft, vetted.lexicon)
    kept = [row for row, view in enumerate(retrieval.index.views) if view.owner != fresh[0].owner]
    index = _Memory(
        views=(*(retrieval.index.views[row] for row in kept), *fresh),
        vectors=np.vstack([retrieval.index.vectors[kept], retrieval.encoder.encode([view.text for view in fresh])]),
        store=retrieval.index.store,
    )
    engine = replace(
        bot.engine,
        retrieval=type(retrieval)(vetted, index, retrieval.encoder, retrieval.calibration),
        decider=Decider(vetted, retrieval.calibration),
    )
    after = copy(bot)  # gates and known words come from books that a draft does not change
    after.vetted, after.engine = vetted, engine
    return after


def _as_if_signed(draft: Fact | KnownError, today: date) -> Fact | KnownError:
    """Return the draft with sign-offs that are never written to a file."""
    bare = draft.model_copy(update={"review": None, "second_review": None, "sent_back": None, "retracted": None})
    first, second = (
        sign(bare, f"trial-{n}", "clinician", today, today + timedelta(days=1)) for n in ("first", "second")
    )
    return bare.model_copy(update={"review": first, "second_review": second})


def asked(bot: Bot, after: Bot, questions: tuple[str, ...]) -> Iterator[Asked]:
    """Yield what a visitor who asks each question reads today and would read after."""
    for question in questions:
        yield Asked(question, bot.reply(question), after.reply(question))


def neighbours(bot: Bot, draft: Fact | KnownError) -> tuple[tuple[str, float], ...]:
    """Return the ids of vetted entries nearest to the draft's questions, with their best cosine, nearest first."""
    if bot.engine is None:
        return ()
    retrieval = bot.engine.retrieval
    views = views_of(draft, bot.vetted.lexicon)
    cosines = (retrieval.encoder.encode([view.text for view in views]) @ retrieval.index.vectors.T).max(axis=0)
    best: dict[str, float] = {}
    for view, cosine in zip(retrieval.index.views, cosines, strict=True):
        if view.owner != views[0].owner:
            best[view.owner] = max(best.get(view.owner, 0.0), float(cosine))
    return tuple(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:_NEIGHBOURS])
