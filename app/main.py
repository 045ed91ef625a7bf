"""Entry: `streamlit run app/main.py` serves the page and the API in one process."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from app.api import ROUTES
from app.edge import OpenPages, Startup, VisitorAddress, help_lines
from app.headers import SecurityHeaders


def on_script_error(_: Exception) -> bool:
    """Keep tracebacks out of the page; the page itself shows the notice and the help lines."""
    return True


app = st.App(
    Path(__file__).with_name("ui") / "page.py",
    routes=(*ROUTES, Route("/help", help_lines)),
    middleware=(
        Middleware(Startup),
        Middleware(SecurityHeaders),
        Middleware(VisitorAddress),
        Middleware(OpenPages),
    ),
    on_script_error=on_script_error,
)
