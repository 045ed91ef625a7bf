"""`ask`: a question on the command line, or a file of conversations, answered exactly as on the page."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app import logs
from app.bot import Bot, Trace, turn_of
from app.models import Reply, Turn
from app.settings import Settings
from knowledge.errors import GuideError

app = typer.Typer(add_completion=False)
_MAX_TURNS = 10_000
_EXAMPLES = """
Examples:

    ask "does cocaine make more dopamine"

    ask --explain "Is LSD a serotonin antagonist?"

    echo '{"id": "1", "turns": ["what is serotonin", "and dopamine?"]}' | ask --jsonl
"""


@app.command(help="Answer a question from the vetted facts.", epilog=_EXAMPLES)
def ask(
    question: Annotated[str | None, typer.Argument(help="the question")] = None,
    explain: Annotated[bool, typer.Option(help="print what every stage made of the question")] = False,
    jsonl: Annotated[bool, typer.Option(help="read conversations from standard input, one JSON object a line")] = False,
    country: Annotated[str | None, typer.Option(help="whose help lines to show: us, uk, ie, ca, au, nz")] = None,
) -> None:
    """Entry point of the command."""
    logs.configure()
    console = Console(stderr=True)
    if not jsonl and question is None:
        console.print('Give a question, such as: ask "what is serotonin", or use --jsonl. See ask --help.')
        raise typer.Exit(2)
    try:
        bot = open_bot(Settings(), console)
    except GuideError as error:
        console.print(f"[red]{error}")
        raise typer.Exit(2) from error
    if jsonl:
        lines = (raw.decode("utf-8", errors="replace") for raw in sys.stdin.buffer)
        for answer in answers(lines, bot, country):
            # Half a character, which JSON can carry and UTF-8 cannot, goes out as JSON writes it: \ud800.
            line = json.dumps(answer, ensure_ascii=False).encode("utf-8", errors="backslashreplace")
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    elif explain:
        _explain(bot.trace(question, country=country))
    else:
        _show(bot.reply(question, country=country))


def open_bot(settings: Settings, console: Console) -> Bot:
    """Open the bot, showing progress while the index is built for the first time.

    Raises:
        KnowledgeError: the base cannot be served safely.

    """
    columns = (TextColumn("building the index"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("index", visible=False)
        bot = Bot.open(
            settings, progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True)
        )
    if not bot.ready:
        console.print("The index or the encoder is not available; see the log lines above.")
    return bot


def answers(lines: Iterable[str], bot: Bot, country: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield one result per non-blank line, in order; a bad line yields an error and the rest go on."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            key, turns = _conversation(line)
        except ValueError as error:
            yield {"id": None, "line": number, "error": str(error)}
            continue
        yield {"id": key, "replies": list(_replies(turns, bot, country))}


def _conversation(line: str) -> tuple[Any, list[Any]]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("turns"), list) or "id" not in data:
        raise ValueError('expected {"id": "…", "turns": ["…", …]}')
    if len(data["turns"]) > _MAX_TURNS:
        raise ValueError(f"more than {_MAX_TURNS} turns")
    if any(not isinstance(turn, str) for turn in data["turns"]):
        raise ValueError("every turn must be a string")
    return data["id"], data["turns"]


def _replies(turns: list[str], bot: Bot, country: str | None) -> Iterator[dict[str, Any]]:
    history: list[Turn] = []
    for text in turns:
        start = time.perf_counter()
        reply = bot.reply(text, history, country)
        elapsed_ms = (time.perf_counter() - start) * 1000
        history = [*history, turn_of(text, reply)][-bot.settings.history_turns :]
        yield {
            "kind": reply.kind,
            "text": reply.text,
            "fact_ids": reply.fact_ids,
            "error_ids": reply.error_ids,
            "notice_ids": reply.notice_ids,
            "care": reply.care,
            "ms": round(elapsed_ms, 2),
        }


def _show(reply: Reply) -> None:
    console = Console(width=100, highlight=False)
    console.print(f"[bold]{reply.kind}[/bold]\n")
    for piece in reply.pieces:
        console.print(piece.text, markup=False)
        console.print()
    for number, note in enumerate(reply.citations, start=1):
        about = ", ".join(filter(None, (note.author, note.title, note.container, note.issued)))
        console.print(f"[{number}] {about} ({note.locator}: {note.supports}) {note.url}", markup=False, style="dim")
    for offer in reply.related:
        console.print(f"→ {offer.title}", markup=False)


def _explain(trace: Trace) -> None:
    console = Console(width=120, highlight=False, markup=False)
    console.print("heard:   ", trace.heard)
    console.print("signals: ", ", ".join(f"{s.gate}/{s.label} ({s.phrase})" for s in trace.signals) or "none")
    if trace.understood:
        console.print("follow-up:", trace.understood.follow_up or "no")
        for question in (q for part in trace.understood.parts for q in part):
            console.print("question:", question.canonical, "| entities:", ", ".join(question.entities) or "none")
    for name, probability in trace.opinions.items():
        console.print(f"learned opinion {name}: {probability:.3f}")
    for found in trace.found:
        console.print(f"known share of the question: {found.known_share:.2f}")
        for c in found.candidates[:6]:
            console.print(f"  {c.score:+.2f} {c.view}", {k: round(v, 2) for k, v in c.features.items()})
    for decision in trace.decisions:
        console.print("decision:", decision.kind, decision.ids, decision.reason)
    reply = asdict(trace.reply)
    reply.pop("citations")
    console.print_json(data=reply)


def main() -> None:
    """Run the command."""
    app()
