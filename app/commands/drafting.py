"""`knowledge new`, `try`, `check`: from a finding to a draft that is ready for review."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rapidfuzz import fuzz, process
from rich.progress import track
from watchfiles import watch

from app.bot import Bot, Trace, utc_today
from app.commands.terminal import console, running_bot
from app.decision import Sameness
from app.leave_one_out import MIN_FIRST, MIN_TOP_THREE, asks_of, close_asks, figures, missed, outcomes
from app.settings import Settings
from app.trial import with_draft
from knowledge.checks import check as run_checks
from knowledge.editing import entry_of, save_draft
from knowledge.errors import GuideError, KnowledgeError
from knowledge.schema import Fact, KnownError, Problem
from knowledge.scope import Scope
from knowledge.signing import standing
from knowledge.store import KnowledgeBase, load
from knowledge.text import normal, tokens
from knowledge.wording import UNFINISHED

_LIKELY_DUPLICATE = 0.85  # cosine of two questions, or share of their letters
_NEIGHBOURS = 6
_MAX_DRAFTS = 3  # drafts that `try` takes up by itself
Form = Literal["text", "json", "github"]


def new(
    fact_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="kebab-case; says the point")] = None,
    topic: Annotated[str | None, typer.Option(help="folder under knowledge/facts")] = None,
    question: Annotated[str | None, typer.Option(help="the title a visitor sees")] = None,
    answer: Annotated[str, typer.Option(help="one to three plain sentences that lead with the point")] = "",
    risk: Annotated[Literal["low", "high"], typer.Option(help="high: medicines, withdrawal, pregnancy, …")] = "high",
    author: Annotated[str, typer.Option("--as", help="your role; whoever writes cannot sign")] = "editor",
    offline: Annotated[bool, typer.Option(help="do not look for neighbours in the index")] = False,
) -> None:
    """Scaffold a draft fact. Asks for what is missing, names what is near and what may be the same already."""
    home = Settings().knowledge_dir
    base, _ = load(home)
    question = question or typer.prompt("Question, as a visitor reads it")
    topic = topic or typer.prompt(f"Topic ({', '.join(sorted({f.topic for f in base.facts.values()}))})")
    fact_id = fact_id or typer.prompt("Id", default=_slug(question))
    try:
        draft = Fact(
            id=fact_id,
            topic=topic,
            question=question,
            answer=answer or f"{UNFINISHED}: one to three plain sentences that lead with the point.",
            asks=(question,),
            entities=tuple(dict.fromkeys(m.entity for m in base.lexicon.find(tokens(normal(question))))),
            risk=risk,
            sources=({"id": "replace-me", "locator": "section or page", "supports": "what it supports there"},),  # type: ignore[arg-type]
            author=author,
        )
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise KnowledgeError(f"no draft was written: {faults}") from error
    file = save_draft(base, home, draft)
    for line in _duplicates(draft, base):
        console.print(line, markup=False)
    if not offline:
        _print_neighbours(question)
    console.print(f"{file}: fill it in, then run `knowledge check`")


def _slug(question: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", normal(question)).strip("-")[:60].strip("-")


def _duplicates(draft: Fact, base: KnowledgeBase) -> Iterable[str]:
    """Yield entries, drafts included, that ask nearly the same in nearly the same words."""
    wanted = base.lexicon.canonical(draft.question)
    near = process.extract(
        wanted, list(base.askers), scorer=fuzz.token_sort_ratio, score_cutoff=_LIKELY_DUPLICATE * 100, limit=_NEIGHBOURS
    )
    for ask, score, _ in near:
        yield f"likely duplicate: {', '.join(base.askers[ask])} has the ask {ask!r} ({score:.0f} % the same)"


def _print_neighbours(question: str) -> None:
    """Print what the index finds for the question; a base that cannot be opened yet is no reason to stop."""
    try:
        trace = running_bot().trace(question)
    except GuideError as error:
        console.print(f"no neighbours: {error}", markup=False)
        return
    _print_candidates(trace)


def _print_candidates(trace: Trace) -> None:
    for found in trace.found:
        for candidate in found.candidates[:_NEIGHBOURS]:
            near = candidate.features.get("dense", 0.0)
            mark = "likely duplicate" if near > _LIKELY_DUPLICATE else "near"
            console.print(f"  {mark}: {candidate.owner} (cosine {near:.2f})", markup=False)


def try_command(
    question: Annotated[str, typer.Argument(help="what a visitor might type")],
    draft: Annotated[
        list[str] | None, typer.Option(help="fact:<id> or error:<id>; default: drafts that are near")
    ] = None,
) -> None:
    """Show what a visitor reads now and would read once the drafts are signed, and what the search made of it."""
    bot = running_bot()
    console.rule("now")
    _print_trace(bot.trace(question))
    base, _ = load(Settings().knowledge_dir)
    drafts = [entry_of(base, key) for key in draft] if draft else _near_drafts(question, base, bot)
    after = bot
    for entry in drafts:
        if not isinstance(entry, Fact | KnownError):
            raise KnowledgeError("only facts and known errors can be tried: write fact:<id> or error:<id>")
        after = with_draft(after, entry, utc_today())
    if drafts:
        console.rule(f"once signed: {', '.join(entry.id for entry in drafts)}")
        _print_trace(after.trace(question))
    else:
        console.print("no draft is near this question")


def _near_drafts(question: str, base: KnowledgeBase, bot: Bot) -> list[Fact | KnownError]:
    """Return the drafts that share most words with the question, at most a few."""
    words = set(bot.vetted.lexicon.canonical(question).split())
    entries: tuple[Fact | KnownError, ...] = (*base.facts.values(), *base.known_errors.values())
    shares = []
    for entry in entries:
        if words and standing(entry, utc_today()) in ("draft", "half-signed"):
            asks = (set(base.lexicon.canonical(ask).split()) for ask in entry.asks)
            shares.append((max((len(words & ask) for ask in asks), default=0), entry))
    near = sorted((pair for pair in shares if pair[0]), key=lambda pair: (-pair[0], pair[1].id))
    return [entry for _, entry in near[:_MAX_DRAFTS]]


def _print_trace(trace: Trace) -> None:
    last = trace.decisions[-1]
    console.print(f"[bold]{trace.reply.kind}[/bold] {', '.join(last.ids)}", f"({last.reason})" if last.reason else "")
    console.print(trace.reply.text, markup=False)
    _print_candidates(trace)


def check(
    advice: Annotated[bool, typer.Option(help="also print advice, not only errors")] = False,
    form: Annotated[
        Form, typer.Option("--format", help="text, json (one object a line) or github (annotations)")
    ] = "text",
    deep: Annotated[
        bool,
        typer.Option(
            "--leave-one-out", "--deep", help="also ask every ask while it is left out of the index (minutes)"
        ),
    ] = False,
    again: Annotated[bool, typer.Option("--watch", help="check again at every change, until Ctrl-C")] = False,
) -> None:
    """Print every problem of the base at once. Exit code 1 if there is an error."""
    home = Settings().knowledge_dir
    sound = _check_once(home, form, advice=advice, deep=deep)
    if again:
        console.print("watching; stop with Ctrl-C")
        for _ in watch(home, raise_interrupt=False):
            sound = _check_once(home, form, advice=advice, deep=deep)
    raise typer.Exit(0 if sound else 1)


def _check_once(home: Path, form: Form, *, advice: bool, deep: bool) -> bool:
    """Print the problems and return whether there is no error."""
    base, loading = load(home)
    problems = run_checks(base, utc_today(), loading)
    enough = True
    if deep:
        found, enough = _deep(base)
        problems += found
    errors = [problem for problem in problems if problem.severity == "error"]
    for problem in problems if advice else errors:
        _print_problem(problem, form)
    if form == "text":
        console.print(f"{len(errors)} errors, {len(problems) - len(errors)} pieces of advice")
    return enough and not errors


def _deep(base: KnowledgeBase) -> tuple[tuple[Problem, ...], bool]:
    """Return what only the encoder and the index can tell, and whether the base finds enough of itself."""
    bot = running_bot()
    if bot.engine is None:
        raise KnowledgeError("the index is not available: run `knowledge index`")
    index = bot.engine.retrieval.index
    scope, same = Scope(base, utc_today(), dict(base.signable())), Sameness(bot.vetted)
    asks = asks_of(bot.vetted, index)
    left_out = outcomes(asks, index, same)
    found = tuple(track(left_out, "leaving each ask out", total=len(asks), console=console, transient=True))
    measured = figures(found)
    close = tuple(close_asks(asks, index, same, scope))
    console.print(
        f"{measured.asks} asks, each left out: own entry first {measured.first:.1%} (at least {MIN_FIRST:.0%}), "
        f"in the top three {measured.top_three:.1%} (at least {MIN_TOP_THREE:.0%})"
    )
    return (*missed(found, scope), *close), measured.enough


def _print_problem(problem: Problem, form: Form) -> None:
    if form == "json":
        sys.stdout.write(problem.model_dump_json() + "\n")
    elif form == "github":
        level = "error" if problem.severity == "error" else "notice"
        place = f"file={_escaped(_from_here(problem.file), ':,')},line={problem.line},title={problem.code}"
        sys.stdout.write(f"::{level} {place}::{_escaped(f'{problem.message} → {problem.mend}')}\n")
    else:
        console.print(str(problem), markup=False, soft_wrap=True)


def _from_here(file: Path) -> str:
    """Return the path as annotations need it: from the root of the checkout, where the command is run."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)
