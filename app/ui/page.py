"""The conversation. Draws replies and keeps the turns of this browser tab; every word of a reply comes from the bot."""

from collections.abc import Sequence
from uuid import uuid4

import streamlit as st

from app import reception, service
from app.bot import Bot, turn_of
from app.models import Reply, Turn
from app.ui import parts
from knowledge.errors import GuideError

_STARTERS = (
    "What is serotonin?",
    "Is dopamine the pleasure chemical?",
    "How do antidepressants work?",
    "What does naloxone do?",
    "Is addiction the same as dependence?",
    "How can I help someone who uses drugs?",
)
_URGENT = ("emergency", "crisis")  # these help lines stand on every page without a click
_MAX_SHOWN = 40  # older exchanges leave the page, so that a long conversation stays quick


def draw() -> None:
    """Draw the page for this run of the script."""
    st.set_page_config(page_title="Vetted answers: brain, drugs and recovery", page_icon="💬", layout="centered")
    parts.style()
    st.title("Vetted answers")
    st.write("About brain messengers, drugs, addiction and recovery. Checked text only; no person is reading along.")
    try:
        bot = service.bot()
    except GuideError:
        st.error("Something on our side is not working. In an emergency, call your local emergency number.")
        return
    country = _help(bot)
    exchanges: list[tuple[str, Reply]] = st.session_state.setdefault("exchanges", [])
    typed = st.chat_input("Ask a question", max_chars=bot.settings.max_chars)
    asked = typed or st.session_state.pop("chosen", None)
    if asked:
        history = [turn_of(text, reply) for text, reply in exchanges]
        exchanges.append((asked, _receive(asked, history[-bot.settings.history_turns or len(history) :], country)))
    hrefs = {f"help:{key}": line.href for key, line in bot.vetted.help_lines.items()}
    for number, (text, reply) in enumerate(exchanges[-_MAX_SHOWN:]):
        _exchange(number, text, reply, hrefs, bot, last=number == len(exchanges[-_MAX_SHOWN:]) - 1)
    _starters(bool(exchanges))


def _receive(text: str, history: Sequence[Turn], country: str) -> Reply:
    page = st.session_state.setdefault("page", uuid4().hex)
    return reception.receive(text, history, country, address=st.context.ip_address or "", session=page)


def _help(bot: Bot) -> str:
    """Draw the help lines and return the chosen country; nothing is guessed from where the visitor is."""
    codes = [code for code in ("international", "us", "uk", "ie", "ca", "au", "nz") if code in bot.vetted.countries]
    chosen = st.query_params.get("country", bot.settings.country)
    code = chosen if chosen in codes else codes[0]
    lines = bot.vetted.countries[code].lines
    parts.help_strip(line for line in lines if line.kind in _URGENT)
    with st.expander("More help lines, and your country"):
        code = st.selectbox(
            "Country", codes, index=codes.index(code), format_func=lambda c: bot.vetted.countries[c].name
        )
        parts.help_strip(line for line in bot.vetted.countries[code].lines if line.kind not in _URGENT)
    if code != chosen:
        st.query_params["country"] = code
        st.rerun()
    return code


def _exchange(number: int, text: str, reply: Reply, hrefs: dict[str, str], bot: Bot, *, last: bool) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        parts.question(text)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        parts.reply_card(reply, hrefs)
        if reply.citations:
            parts.sources(reply.citations, bot.vetted.notices["not-clinician-reviewed"].text)
        if last:
            for offer in reply.related:
                st.button(offer.title, key=f"{number}-{offer.id}", on_click=_choose, args=(offer.title,))


def _starters(talking: bool) -> None:
    with st.expander("Questions to start with", expanded=not talking):
        for text in _STARTERS:
            st.button(text, key=f"start-{text}", on_click=_choose, args=(text,))
    if talking:
        st.button("Clear this conversation", on_click=_clear)


def _choose(text: str) -> None:
    st.session_state["chosen"] = text


def _clear() -> None:
    st.session_state.pop("exchanges", None)


draw()
