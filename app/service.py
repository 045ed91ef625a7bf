"""The one bot of this process, shared by the page and the API."""

import gc
from functools import lru_cache

import structlog

from app import metrics
from app.bot import Bot, utc_today
from app.feedback import Feedback
from app.settings import Settings, load_settings

_log = structlog.get_logger()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read the settings on first use and keep them.

    Raises:
        SettingsError: a setting has a value that cannot be used.

    """
    return load_settings()


@lru_cache(maxsize=1)
def bot() -> Bot:
    """Open the bot on first use and keep it.

    Raises:
        GuideError: the base cannot be served safely; nothing is served then.

    """
    opened = Bot.open(settings())
    # Streamlit collects garbage after every script run; without this it would walk Chroma's and LangChain's modules
    # each time, which costs every visitor about 100 ms.
    gc.collect()
    gc.freeze()
    metrics.opened(opened.vetted, ready=opened.ready, swap=False)
    _log.info("bot_open", ready=opened.ready, digest=opened.vetted.digest[:16], facts=len(opened.vetted.facts))
    return opened


@lru_cache(maxsize=1)
def feedback() -> Feedback:
    """Open the feedback store on first use and keep it.

    Raises:
        FeedbackError: it cannot be opened; a page then offers no feedback.

    """
    return Feedback.open(settings(), bot().vetted, utc_today)
