"""Signed help lines as a page of its own, for when the real one cannot be had: no script, no socket, no index.

`python -m app.help_page > help.html` writes it for a proxy to show when no copy of the app answers.
"""

import sys
from html import escape

from app.bot import utc_today
from app.models import Reply
from app.settings import load_settings
from knowledge.signing import Vetted, vet
from knowledge.store import load

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Help lines</title>
<style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
h2{{font-size:1.1rem;margin-bottom:.2rem}}ul{{list-style:none;padding:0;margin:0}}
a{{display:inline-block;padding:.35rem 0;font-weight:600}}</style></head>
<body><main><h1>Help lines</h1>
{notice}{countries}</main></body></html>
"""


def help_page(vetted: Vetted, first: str, shown: Reply | None = None) -> str:
    """Return the page: what `shown` says, if anything, then every country's signed lines, those of `first` on top."""
    texts = [piece for piece in shown.pieces if piece.id.startswith("notice:")] if shown else []
    notice = "".join(f'<p data-id="{escape(piece.id)}">{escape(piece.text)}</p>\n' for piece in texts)
    codes = sorted(vetted.countries, key=lambda code: (code != first, code))
    return _PAGE.format(notice=notice, countries="".join(_country(vetted, code) for code in codes))


def _country(vetted: Vetted, code: str) -> str:
    country = vetted.countries[code]
    lines = "".join(
        f'<li><a data-id="help:{escape(line.id)}" href="{escape(line.href)}">{escape(line.text)}</a></li>\n'
        for line in country.lines
    )
    return f"<h2>{escape(country.name)}</h2>\n<ul>\n{lines}</ul>\n"


def main() -> None:
    """Write the page to standard output."""
    settings = load_settings()
    vetted = vet(load(settings.knowledge_dir)[0], utc_today(), settings.review_level)
    sys.stdout.write(help_page(vetted, settings.country))


if __name__ == "__main__":
    main()
