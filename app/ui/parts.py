"""Reply → what is drawn. The one place where vetted text becomes HTML; everything is escaped."""

from collections.abc import Iterable
from html import escape

import streamlit as st

from app.models import Piece, Reply, SourceNote
from knowledge.schema import HelpLine

_LABELS = {
    "correction": "A common mix-up",
    "refer": "A question for a professional",
    "crisis": "Get help now",
    "out_of_scope": "No checked answer",
    "clarify": "Which one do you mean?",
}
_STYLE = """
<style>
.card{border:1px solid color-mix(in srgb,currentColor 18%,transparent);border-left-width:6px;border-radius:.6rem;
padding:1rem 1.15rem;margin:.2rem 0 .4rem;line-height:1.6;max-width:44rem;overflow-wrap:anywhere}
.card p{margin:0 0 .7rem}.card p:last-child{margin-bottom:0}.card .lead{font-size:1.09em}
.card .label{font-size:.84em;font-weight:600;letter-spacing:.02em;margin-bottom:.5rem}
.card.answer,.card.greeting{border-left-color:#0b7a75}.card.correction{border-left-color:#9a6200}
.card.refer,.card.clarify{border-left-color:#4b5fa8}.card.out_of_scope,.card.invalid{border-left-color:#6b7678}
.card.crisis{border-left-color:#b3261e;border-width:2px 2px 2px 8px;font-size:1.08em}
.help{list-style:none;margin:.5rem 0 0;padding:0}.help li{margin:.35rem 0}
.help a{display:inline-block;min-height:1.9rem;font-weight:600;color:inherit}.sources a{color:inherit}
.checked{font-size:.86em;opacity:.88}
.sources{margin:0;padding-left:1.2rem;font-size:.93em;line-height:1.5}.sources li{margin-bottom:.6rem}
.asked{max-width:44rem;white-space:pre-wrap;overflow-wrap:anywhere}
</style>
"""


def style() -> None:
    """Add the style of the cards to the page."""
    st.html(_STYLE)


def question(text: str) -> None:
    """Draw what the visitor typed, as plain text."""
    st.html(f'<div class="asked">{escape(text)}</div>')


def reply_card(reply: Reply, hrefs: dict[str, str]) -> None:
    """Draw a reply: its label, its signed pieces, its help lines as links.

    Args:
        reply: what to draw.
        hrefs: help line id ("help:<id>") → tel:, sms: or https: link.

    """
    label = f'<div class="label">{_LABELS[reply.kind]}</div>' if reply.kind in _LABELS else ""
    texts = [piece for piece in reply.pieces if not piece.id.startswith("help:")]
    lines = [piece for piece in reply.pieces if piece.id.startswith("help:")]
    paragraphs = "".join(_paragraph(piece, lead=i == 0) for i, piece in enumerate(texts))
    st.html(f'<article class="card {reply.kind}">{label}{paragraphs}{_help_list(lines, hrefs)}</article>')


def _paragraph(piece: Piece, *, lead: bool) -> str:
    return f'<p class="{"lead" if lead else "more"}" data-id="{escape(piece.id)}">{escape(piece.text)}</p>'


def _help_list(lines: list[Piece], hrefs: dict[str, str]) -> str:
    if not lines:
        return ""
    items = "".join(
        f'<li><a data-id="{escape(line.id)}" href="{escape(hrefs[line.id])}">{escape(line.text)}</a></li>'
        for line in lines
    )
    return f'<ul class="help">{items}</ul>'


def sources(notes: tuple[SourceNote, ...], checked: str) -> None:
    """Draw the sources of a reply and how its text was checked."""
    with st.expander(f"How we know ({len(notes)} source{'s' if len(notes) != 1 else ''})"):
        st.html(f'<ol class="sources">{"".join(map(_source, notes))}</ol><p class="checked">{escape(checked)}</p>')


def _source(note: SourceNote) -> str:
    about = ". ".join(filter(None, (note.author, note.title, note.container, note.issued)))
    link = f'<a href="{escape(note.url)}" target="_blank" rel="noopener noreferrer">{escape(about)}</a>'
    where = escape(f" ({note.locator}): {note.supports}")
    return f"<li>{link if note.url else escape(about)}{where}</li>"


def help_strip(lines: Iterable[HelpLine]) -> None:
    """Draw help lines as links."""
    chosen = tuple(lines)
    hrefs = {f"help:{line.id}": line.href for line in chosen}
    st.html(_help_list([Piece(f"help:{line.id}", line.text) for line in chosen], hrefs))
