"""`knowledge index`, `stats`, `export`, `verify`: the signed base as the outside world meets it."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import httpx
import typer
from rich.table import Table

from app.bot import utc_today
from app.commands.terminal import console, running_bot
from app.settings import Settings
from knowledge.checks import check, signed_counts
from knowledge.errors import IndexUnavailableError, KnowledgeError
from knowledge.export import as_csv, claim_reviews, faq_page, medical_web_pages
from knowledge.proof import differences
from knowledge.signing import vet
from knowledge.store import KnowledgeBase, load
from knowledge.wording import reading_grade, whole_text

_TIMEOUT_S = 30.0
_MAX_BYTES = 50_000_000
_MAX_SHOWN = 50  # differences printed by `verify`
Form = Literal["claimreview", "faqpage", "medicalwebpage", "csv"]


def index() -> None:
    """Build the index of today's signed texts, or say that it is there."""
    bot = running_bot()
    if not bot.ready:
        raise IndexUnavailableError("the index is not available; see the log lines above")
    console.print(f"index ready; knowledge digest {bot.vetted.digest[:16]}")


def stats() -> None:
    """Count what the base holds: facts, known errors, asks, sources, words, grades, sign-offs and problems."""
    base, loading = load(Settings().knowledge_dir)
    problems = Counter(problem.severity for problem in check(base, utc_today(), loading))
    table = Table("what", "count", box=None)
    rows = _contents(base) | signed_counts(base, utc_today()) | _tally(base)
    rows |= {"errors of `knowledge check`": problems["error"], "pieces of advice": problems["advice"]}
    for name, value in rows.items():
        table.add_row(name, str(value))
    for topic, count in sorted(Counter(fact.topic for fact in base.facts.values()).items()):
        table.add_row(f"  facts on {topic}", str(count))
    console.print(table)


def _contents(base: KnowledgeBase) -> dict[str, int | float]:
    entries = [entry for _, entry in base.signable()]
    grades = [reading_grade(text, base.lexicon) for entry in entries if (text := whole_text(entry))]
    asks = [len(fact.asks) for fact in base.facts.values()]
    rows = [row for audit in base.audits.values() for row in audit.claims]
    return {
        "facts": len(base.facts),
        "known errors": len(base.known_errors),
        "asks": sum(asks) + sum(len(error.asks) for error in base.known_errors.values()),
        "fewest asks of a fact": min(asks, default=0),
        "facts with 20 asks or more": sum(n >= 20 for n in asks),
        "audited claims": len(rows),
        "claims without a home": sum(not (row.facts or row.errors or row.none) for row in rows),
        "sources": len(base.sources),
        "entities": len(base.entities),
        "surface forms": len(base.lexicon.surfaces),
        "notices": len(base.notices),
        "countries": len(base.countries),
        "help lines": sum(len(country.lines) for country in base.countries.values()),
        "median grade": round(median(grades), 1) if grades else 0,
        "highest grade": round(max(grades), 1) if grades else 0,
    }


def _tally(base: KnowledgeBase) -> dict[str, int]:
    """Return how many sign-offs each role made at each level, and how many texts were sent back or retracted."""
    reviews = [review for _, entry in base.signable() for review in (entry.review, entry.second_review) if review]
    made = Counter(f"sign-offs by {review.by}, {review.level}" for review in reviews)
    return {
        **dict(sorted(made.items())),
        "sent back": sum(entry.sent_back is not None for _, entry in base.signable()),
        "retracted": len(base.retracted),
    }


def export(
    form: Annotated[
        Form,
        typer.Argument(metavar="FORM", help="claimreview (known errors), faqpage or medicalwebpage (facts), or csv"),
    ],
    site: Annotated[str, typer.Option(help="address at which this base is served; required for JSON-LD")] = "",
    out: Annotated[Path | None, typer.Option(help="file to write; default: standard output")] = None,
) -> None:
    """Write the signed texts as schema.org JSON-LD or CSV. What does not fit its schema is not written."""
    base, _ = load(Settings().knowledge_dir)
    vetted = vet(base, utc_today(), Settings().review_level)
    if form == "csv":
        text = as_csv(vetted)
    else:
        makers: dict[str, Callable[..., dict[str, Any]]] = {
            "claimreview": claim_reviews,
            "faqpage": faq_page,
            "medicalwebpage": medical_web_pages,
        }
        if not site.startswith(("https://", "http://")):
            raise KnowledgeError("give the address of the site: --site https://…")
        text = json.dumps(makers[form](vetted, site.rstrip("/")), ensure_ascii=False, indent=2) + "\n"
    if out:
        out.write_text(text, encoding="utf-8", newline="")
        console.print(f"{out}: {len(text.encode())} bytes")
    else:
        sys.stdout.write(text)


def verify(
    copy: Annotated[str, typer.Argument(metavar="URL|FILE", help="a site, or what its /api/knowledge answered")],
) -> None:
    """Prove that a deployed copy serves exactly the signed texts of this base.

    Every sign-off of the copy is computed again from its words, and every word is compared with the files here.
    Exit code 0: the same. 1: there are differences. 2: the copy cannot be read.
    """
    base, _ = load(Settings().knowledge_dir)
    served = _served(copy)
    found = differences(vet(base, utc_today(), Settings().review_level), served)
    for line in found[:_MAX_SHOWN]:
        console.print(line, markup=False, soft_wrap=True)
    if found:
        console.print(f"{len(found)} differences", style="red")
        raise typer.Exit(1)
    count = len(served["entries"])
    console.print(f"the same: {count} signed texts, knowledge digest {served['knowledge_digest'][:16]}")


def _served(copy: str) -> Any:
    """Return what a copy serves as JSON.

    Raises:
        KnowledgeError: it cannot be reached or is no JSON.

    """
    try:
        if copy.startswith(("https://", "http://")):
            address = copy if "/api/" in copy else f"{copy.rstrip('/')}/api/knowledge"
            with httpx.stream("GET", address, timeout=_TIMEOUT_S, follow_redirects=True) as response:
                response.raise_for_status()
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise ValueError(f"more than {_MAX_BYTES} bytes")
        else:
            body = Path(copy).read_bytes()
        return json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
        raise KnowledgeError(f"{copy} cannot be read: {error}") from error
