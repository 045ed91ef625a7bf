"""Entry: `streamlit run app/main.py` serves the page and the API in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool

from app import service
from app.api import ROUTES


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Open the bot before the first visitor comes; refuse to start if the base cannot be served safely."""
    await run_in_threadpool(service.bot)
    yield {}


def on_script_error(_: Exception) -> bool:
    """Keep tracebacks out of the page; the page itself shows the notice and the help lines."""
    return True


app = st.App(
    Path(__file__).with_name("ui") / "page.py", lifespan=lifespan, routes=ROUTES, on_script_error=on_script_error
)
