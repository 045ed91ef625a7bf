"""Signed help lines as a page of its own, for when the real one cannot be had: no script, no socket, no index."""

from html import escape

from app.bot import Bot
from app.models import Reply

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Help lines</title>
<style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
h2{{font-size:1.1rem;margin-bottom:.2rem}}ul{{list-style:none;padding:0;margin:0}}
a{{display:inline-block;padding:.35rem 0;font-weight:600}}</style></head>
<body><main><h1>Help lines</h1>
{notice}{countries}</main></body></html>
"""


def help_page(bot: Bot, shown: Reply | None = None) -> str:
    """Return the page: what `shown` says, if anything, then every country's signed lines, the set country's first."""
    texts = [piece for piece in shown.pieces if piece.id.startswith("notice:")] if shown else []
    notice = "".join(f'<p data-id="{escape(piece.id)}">{escape(piece.text)}</p>\n' for piece in texts)
    codes = sorted(bot.vetted.countries, key=lambda code: (code != bot.settings.country, code))
    return _PAGE.format(notice=notice, countries="".join(_country(bot, code) for code in codes))


def _country(bot: Bot, code: str) -> str:
    country = bot.vetted.countries[code]
    lines = "".join(
        f'<li><a data-id="help:{escape(line.id)}" href="{escape(line.href)}">{escape(line.text)}</a></li>\n'
        for line in country.lines
    )
    return f"<h2>{escape(country.name)}</h2>\n<ul>\n{lines}</ul>\n"
