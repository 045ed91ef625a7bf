"""The one bot of this process, shared by the page and the API."""

import gc
from functools import lru_cache

import structlog

from app.bot import Bot, utc_today
from app.feedback import Feedback
from app.settings import Settings

_log = structlog.get_logger()


@lru_cache(maxsize=1)
def bot() -> Bot:
    """Open the bot on first use and keep it.

    Raises:
        KnowledgeError: the base cannot be served safely; nothing is served then.

    """
    opened = Bot.open(Settings())
    # Streamlit collects garbage after every script run; without this it would walk Chroma's and LangChain's modules
    # each time, which costs every visitor about 100 ms.
    gc.collect()
    gc.freeze()
    _log.info("bot_open", ready=opened.ready, digest=opened.vetted.digest[:16], facts=len(opened.vetted.facts))
    return opened


@lru_cache(maxsize=1)
def feedback() -> Feedback:
    """Open the feedback store on first use and keep it.

    Raises:
        FeedbackError: it cannot be opened; a page then offers no feedback.

    """
    return Feedback.open(Settings(), bot().vetted, utc_today)
