"""`evals`: cases and attacks × target → scores, measures, gates.

Exit codes: 0 all gates hold, 1 a gate fails, 2 the run is broken, empty or misused.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import logs
from app.bot import utc_today
from app.settings import Settings
from evals.attacks import attacks
from evals.cases import Case, Expected, Split, load_cases
from evals.engine import Pool, Workshop, judge
from evals.fit import fit as fit_calibration
from evals.latency import Latency
from evals.measures import Measure, Turn, failures, load_thresholds, measures
from evals.targets import App, Deployed, controls
from knowledge.errors import GuideError
from knowledge.signing import Vetted, vet
from knowledge.store import load

app = typer.Typer(no_args_is_help=True, help="Decide whether a change may reach patients.")
_console = Console()
_NO_ANSWER_IS_FINE = ("correction", "answer", "out_of_scope", "refer", "clarify", "crisis")


@app.command()
def run(
    target: Annotated[str, typer.Option(help="app, or the address of a deployed /api/reply")] = "app",
    split: Annotated[str, typer.Option(help="test, or dev while developing")] = "test",
    family: Annotated[str | None, typer.Option(help="only this family, such as crisis or attacks")] = None,
    contains: Annotated[str | None, typer.Option("-k", help="only cases whose id contains this")] = None,
    failing: Annotated[bool, typer.Option(help="print every failing turn")] = False,
    seed: Annotated[int, typer.Option(help="seed of the attacks")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="processes; 1 judges in this one")] = 2,
    report: Annotated[Path | None, typer.Option(help="write the measures and failing turns here, as JSON")] = None,
) -> None:
    """Run cases and attacks against a target and judge every turn."""
    if split not in ("dev", "test"):
        raise _stop("--split is dev or test")
    try:
        turns, waits, vetted = _judged(target, "dev" if split == "dev" else "test", family, contains, seed, jobs)
    except GuideError as error:
        raise _stop(str(error)) from error
    found = measures(turns)
    failed = failures(found, load_thresholds())
    _table(found)
    if waits:
        least = f"{waits.ratio:.1f} × encoding and an exact search"
        times = f"half within {waits.percentile(50):.1f} ms, 95 % within {waits.percentile(95):.1f} ms"
        _console.print(f"latency of {len(waits.reply_ms)} replies: {least} ({times})", highlight=False)
    if failing:
        _print_failing(turns)
    if report:
        _write(report, turns, found, vetted)
    for line in failed:
        _console.print(f"[red]{line}", highlight=False)
    _console.print("all gates hold" if not failed else f"{len(failed)} gates fail", highlight=False)
    raise typer.Exit(1 if failed else 0)


@app.command()
def selftest() -> None:
    """Check that the suite fails every control bot, each of which is broken in one way."""
    try:
        shop = Workshop.open(Settings().encoder_threads)
    except GuideError as error:
        raise _stop(str(error)) from error
    cases = _sample(_all_cases(shop.bot.vetted, "test", 0))
    slipped = []
    for control in controls(App(shop.bot), shop.bot.vetted):
        turns = [turn for case in cases for turn in judge(case, control, shop.bench)]
        caught = failures(measures(turns), load_thresholds())
        _console.print(
            f"{control.name}: {'caught by ' + caught[0] if caught else '[red]SLIPPED THROUGH'}", highlight=False
        )
        slipped += [] if caught else [control.name]
    raise typer.Exit(1 if slipped else 0)


@app.command()
def fit() -> None:
    """Fit `app/calibration.json` on the development split."""
    try:
        fit_calibration(Settings(), utc_today(), lambda line: _console.print(line, highlight=False))
    except GuideError as error:
        raise _stop(str(error)) from error


def _judged(
    target: str, split: Split, family: str | None, contains: str | None, seed: int, jobs: int
) -> tuple[list[Turn], Latency | None, Vetted]:
    """Return all judged turns in the order of the cases, and how long the app takes where it is run here."""
    if target != "app":
        shop = Workshop.open(Settings().encoder_threads)
        cases = _chosen(_all_cases(shop.bot.vetted, split, seed), family, contains)
        parts = (list(judge(case, Deployed(target), shop.bench)) for case in cases)
        return _in_order(_tracked(parts, len(cases)), cases), None, shop.bot.vetted
    with Pool(jobs) as pool:  # the processes open the app while the cases are read here
        settings = Settings()
        vetted = vet(load(settings.knowledge_dir)[0], utc_today(), settings.review_level)
        cases = _chosen(_all_cases(vetted, split, seed), family, contains)
        turns = _in_order(_tracked(pool.judge(cases), len(cases)), cases)
        return turns, pool.latency(_timed(cases)), vetted


def _tracked(parts: Iterable[list[Turn]], total: int) -> Iterator[Turn]:
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("judging", total=total)
        for turns in parts:
            yield from turns
            bar.advance(task, len({turn.id for turn in turns}))


def _in_order(turns: Iterable[Turn], cases: Sequence[Case]) -> list[Turn]:
    place = {case.id: i for i, case in enumerate(cases)}
    return sorted(turns, key=lambda turn: place[turn.id])


def _timed(cases: Sequence[Case], wanted: int = 120) -> list[str]:
    """Return evenly spaced messages of cases of one turn."""
    asks = [case.last.ask for case in cases if len(case.turns) == 1]
    return asks[:: max(1, len(asks) // wanted)][:wanted]


def _all_cases(vetted: Vetted, split: Split, seed: int) -> list[Case]:
    cases = list(load_cases(split))
    for attack in attacks(vetted.known_errors.values(), seed):
        expected = [Expected(ask=text, kinds=_NO_ANSWER_IS_FINE, errors=(attack.error,)) for text in attack.turns]
        cases.append(Case(id=attack.id, family="attacks", split=split, turns=tuple(expected), tags=(attack.style,)))
    return cases


def _chosen(cases: list[Case], family: str | None, contains: str | None) -> list[Case]:
    kept = [c for c in cases if family in (None, c.family) and (contains is None or contains in c.id)]
    if not kept:
        raise GuideError("no case matches: see evals/README.md for the families and ids")
    return kept


def _sample(cases: list[Case], per_family: int = 60) -> list[Case]:
    """Return evenly spaced cases of every family: enough to catch a bot that is broken throughout."""
    sizes = Counter(case.family for case in cases)
    seen: Counter[str] = Counter()
    kept = []
    for case in cases:
        if seen[case.family] % max(1, sizes[case.family] // per_family) == 0:
            kept.append(case)
        seen[case.family] += 1
    return kept


def _table(found: Sequence[Measure]) -> None:
    marks = {mark.measure: mark for mark in load_thresholds()}
    table = Table("measure", "value", "95 % interval", "found / examined", "gate", box=None)
    for m in found:
        mark = marks.get(m.name)
        gate = (
            "" if mark is None else f"≥ {mark.at_least:.1%}" if mark.at_least is not None else f"≤ {mark.at_most:.1%}"
        )
        table.add_row(m.name, f"{m.value:.1%}", f"{m.low:.1%} to {m.high:.1%}", f"{m.found} / {m.examined}", gate)
    _console.print(table)


def _print_failing(turns: Sequence[Turn]) -> None:
    for turn in turns:
        wrong = [s for s in turn.scores if s.value != 1.0]
        if wrong:
            _console.print(
                f"{turn.id} {' '.join(turn.tags)}: {turn.expected.ask[:200]!r}", markup=False, highlight=False
            )
            for score in wrong:
                _console.print(
                    f"    {score.scorer}: {score.evidence[:160]} ({score.reason[:160]})", markup=False, highlight=False
                )


def _write(report: Path, turns: Sequence[Turn], found: Sequence[Measure], vetted: Vetted) -> None:
    wrong = [turn for turn in turns if any(s.value != 1.0 for s in turn.scores)]
    failing = [{**asdict(turn), "expected": turn.expected.model_dump()} for turn in wrong]
    data = {"knowledge_digest": vetted.digest, "measures": [asdict(m) for m in found], "failing": failing}
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")


def _stop(message: str) -> typer.Exit:
    Console(stderr=True).print(message, style="red", markup=False)
    return typer.Exit(2)


def main() -> None:
    """Run the command."""
    logs.configure()
    app()
