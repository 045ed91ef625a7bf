"""`knowledge`: the editor's command, from a draft to a signed and served fact."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table

from app import logs
from app.bot import Bot, utc_today
from app.commands.ask import open_bot
from app.settings import Settings
from knowledge.checks import check as run_checks
from knowledge.checks import signed_counts
from knowledge.editing import entry_of, require_signable, sign_entry
from knowledge.errors import GuideError
from knowledge.lexicon import Lexicon
from knowledge.schema import Fact, KnownError, Level, Problem, Reviewed
from knowledge.signing import holds
from knowledge.store import KnowledgeBase, load, write_atomically
from knowledge.text import normal, sentences, tokens
from knowledge.wording import reading_grade

app = typer.Typer(no_args_is_help=True, help="Write, check, sign and try vetted facts.")
_console = Console()
_MODELS: dict[str, type[Fact] | type[KnownError]] = {"fact": Fact, "error": KnownError}
_NEAR_SHARE = 0.5  # of the question's words: enough that the draft may answer it


@app.command()
def new(
    fact_id: Annotated[str, typer.Argument(metavar="ID", help="kebab-case; says the point")],
    topic: Annotated[str, typer.Option(help="folder under knowledge/facts")],
    question: Annotated[str, typer.Option(prompt=True, help="the title a visitor sees")],
) -> None:
    """Scaffold a draft fact.

    Example: knowledge new cocaine-blocks-reuptake --topic cocaine
    """
    home = Settings().knowledge_dir
    base, _ = load(home)
    if fact_id in base.facts:
        raise _stop(f"{base.places[f'fact:{fact_id}'].file} exists: choose another id or edit that file")
    file = home / "facts" / topic / f"{fact_id}.yaml"
    draft = {
        "id": fact_id,
        "topic": topic,
        "question": question,
        "answer": "Write one to three plain sentences that lead with the point.",
        "asks": [question],
        "entities": [m.entity for m in Lexicon(base.entities).find(tokens(normal(question)))],
        "risk": "high",
        "sources": [{"id": "replace-me", "locator": "section or page", "supports": "what it supports there"}],
        "author": "editor",
    }
    write_atomically(file, yaml.safe_dump(draft, sort_keys=False, allow_unicode=True, width=118))
    _console.print(f"{file}: fill it in, then run `knowledge check`")


@app.command()
def check(
    advice: Annotated[bool, typer.Option(help="also print advice, not only errors")] = False,
    formatted: Annotated[str, typer.Option("--format", help="text, json or github")] = "text",
) -> None:
    """Print every problem of the base at once. Exit code 1 if there is an error."""
    base, loading = load(Settings().knowledge_dir)
    problems = run_checks(base, utc_today(), loading)
    errors = [p for p in problems if p.severity == "error"]
    for problem in problems if advice else errors:
        _print_problem(problem, formatted)
    if formatted == "text":
        _console.print(f"{len(errors)} errors, {len(problems) - len(errors)} pieces of advice", highlight=False)
    raise typer.Exit(1 if errors else 0)


@app.command("sign")
def sign_command(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="fact:<id>, error:<id>, notice:<id>, help:<id>, phrases:<id>")
    ],
    by: Annotated[str, typer.Option("--as", help="the reviewer's role; never the author's")],
    level: Annotated[Level, typer.Option(help="how it was reviewed")] = "source-checked",
    second: Annotated[bool, typer.Option(help="this is the second review of a high-risk text")] = False,
    yes: Annotated[bool, typer.Option(help="do not ask for confirmation")] = False,
) -> None:
    """Sign reviewed texts. Shows each text with its sources and asks before it signs."""
    base, _ = load(Settings().knowledge_dir)
    today = utc_today()
    refused = 0
    for key in ids:
        try:
            require_signable(base, key, by, level, today, second=second)
            if not yes:
                _show(key, entry_of(base, key), base)
                typer.confirm(f"Sign {key} as {by}?", abort=True)
            sign_entry(base, key, by, level, today, second=second)
        except GuideError as error:
            refused += 1
            _console.print(f"[red]{key}: {error}")
    _console.print(f"{len(ids) - refused} signed, {refused} refused", highlight=False)
    raise typer.Exit(1 if refused else 0)


@app.command()
def diff(key: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show, sentence by sentence, what changed since the last sign-off that holds (read from git)."""
    base, _ = load(Settings().knowledge_dir)
    entry = entry_of(base, key)
    if entry.review and holds(entry, entry.review):
        _console.print(f"{key} is as it was signed on {entry.review.on}")
        return
    before = _last_signed(base.places[key].file, key)
    lines = unified_diff(before or [], _sentences(entry), "signed", "now", lineterm="", n=1)
    _console.print("\n".join(lines) or "no change in the text a visitor reads", markup=False)


@app.command("try")
def try_command(question: Annotated[str, typer.Argument(help="what a visitor might type")]) -> None:
    """Show what a visitor reads now, and which draft facts would be near once they are signed."""
    bot = _bot()
    trace = bot.trace(question)
    _console.print(f"[bold]{trace.reply.kind}[/bold]", trace.decisions[-1].reason if trace.decisions else "")
    _console.print(trace.reply.text, markup=False)
    base, _ = load(Settings().knowledge_dir)
    words = set(bot.vetted.lexicon.canonical(question).split())
    for fact in (f for f in base.facts.values() if f.id not in bot.vetted.facts):
        shared = max(len(words & set(bot.vetted.lexicon.canonical(ask).split())) / len(words) for ask in fact.asks)
        if shared > _NEAR_SHARE:
            _console.print(f"draft {fact.id} shares {shared:.0%} of the words", highlight=False)


@app.command()
def index() -> None:
    """Build the index of today's signed texts, or say that it is there."""
    bot = _bot()
    if not bot.ready:
        raise _stop("the index is not available; see the log lines above")
    _console.print(f"index ready; knowledge digest {bot.vetted.digest[:16]}", highlight=False)


@app.command()
def stats() -> None:
    """Count what the base holds."""
    base, _ = load(Settings().knowledge_dir)
    lexicon = Lexicon(base.entities)
    grades = [reading_grade(f"{f.answer} {f.detail or ''}", lexicon) for f in base.facts.values()]
    grades += [reading_grade(e.correction, lexicon) for e in base.known_errors.values()]
    rows: dict[str, int | float] = {
        "facts": len(base.facts),
        "known errors": len(base.known_errors),
        "asks": sum(len(f.asks) for f in base.facts.values()) + sum(len(e.asks) for e in base.known_errors.values()),
        "audited claims": sum(len(a.claims) for a in base.audits.values()),
        "sources": len(base.sources),
        "entities": len(base.entities),
        "surface forms": len(lexicon.surfaces),
        "notices": len(base.notices),
        "help lines": sum(len(c.lines) for c in base.countries.values()),
        "median grade": round(median(grades), 1) if grades else 0,
        "highest grade": round(max(grades), 1) if grades else 0,
        **signed_counts(base, utc_today()),
    }
    table = Table("what", "count", box=None)
    for name, value in rows.items():
        table.add_row(name, str(value))
    for topic, count in sorted(Counter(f.topic for f in base.facts.values()).items()):
        table.add_row(f"  facts on {topic}", str(count))
    _console.print(table)


def _bot() -> Bot:
    try:
        return open_bot(Settings(), Console(stderr=True))
    except GuideError as error:
        raise _stop(str(error)) from error


def _stop(message: str) -> typer.Exit:
    Console(stderr=True).print(f"[red]{message}")
    return typer.Exit(2)


def _show(key: str, entry: Reviewed, base: KnowledgeBase) -> None:
    _console.rule(key)
    for sentence in _sentences(entry):
        _console.print(sentence, markup=False)
    for citation in getattr(entry, "sources", ()):
        source = base.sources[citation.id]
        _console.print(f"  {source.title} ({citation.locator}): {citation.supports}", markup=False, style="dim")


def _sentences(entry: Reviewed) -> list[str]:
    fields = ("question", "answer", "detail", "claim", "why_wrong", "correction", "text")
    return [s for field in fields if getattr(entry, field, None) for s in sentences(getattr(entry, field))]


def _last_signed(file: Path, key: str) -> list[str] | None:
    """Return the sentences of the newest committed version of a fact or known error whose sign-off holds."""
    model = _MODELS.get(key.partition(":")[0])
    if model is None:
        return None
    for content in _versions(file):
        try:
            entry = model.model_validate(yaml.safe_load(content))
        except (ValueError, yaml.YAMLError):
            continue
        if holds(entry, entry.review):
            return _sentences(entry)
    return None


def _versions(file: Path) -> Iterator[str]:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    for revision in git("log", "--format=%H", "--", file.name).split():
        yield git("show", f"{revision}:./{file.name}")


def _print_problem(problem: Problem, formatted: str) -> None:
    if formatted == "json":
        sys.stdout.write(problem.model_dump_json() + "\n")
    elif formatted == "github":
        level = "error" if problem.severity == "error" else "notice"
        sys.stdout.write(f"::{level} file={problem.file},line={problem.line}::{problem.message} → {problem.mend}\n")
    else:
        _console.print(str(problem), markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command."""
    logs.configure()
    app()
