"""`evals`: cases and attacks × target → scores, measures, gates.

Exit codes: 0 all gates hold, 1 a gate fails, 2 the run is broken, empty or misused.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.bot import Bot, utc_today
from app.commands.ask import open_bot
from app.settings import Settings
from evals.attacks import attacks
from evals.cases import Case, Expected, Split, load_cases
from evals.detector import Detector
from evals.fit import fit as fit_calibration
from evals.measures import Measure, Turn, failures, load_thresholds, measures
from evals.scorers import SCORERS, Bench
from evals.targets import App, Deployed, Target, controls, signed_texts
from knowledge.encoder import MiniLM
from knowledge.errors import GuideError
from knowledge.signing import Vetted

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
    report: Annotated[Path | None, typer.Option(help="write the measures and failing turns here, as JSON")] = None,
) -> None:
    """Run cases and attacks against a target and judge every turn."""
    bot, bench = _parts()
    judged: Target = App(bot) if target == "app" else Deployed(target)
    if split not in ("dev", "test"):
        raise _stop("--split is dev or test")
    try:
        cases = _chosen(_all_cases(bot, "dev" if split == "dev" else "test", seed), family, contains)
        turns = _judged(cases, judged, bench)
    except GuideError as error:
        raise _stop(str(error)) from error
    found = measures(turns)
    failed = failures(found, load_thresholds())
    _table(found)
    if failing:
        _print_failing(turns)
    if report:
        _write(report, turns, found, bot)
    for line in failed:
        _console.print(f"[red]{line}", highlight=False)
    _console.print("all gates hold" if not failed else f"{len(failed)} gates fail", highlight=False)
    raise typer.Exit(1 if failed else 0)


@app.command()
def selftest() -> None:
    """Check that the suite fails every control bot, each of which is broken in one way."""
    bot, bench = _parts()
    cases = _sample(_all_cases(bot, "test", 0))
    slipped = []
    for control in controls(App(bot), bot.vetted):
        caught = failures(measures(_judged(cases, control, bench, quiet=True)), load_thresholds())
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


def _parts() -> tuple[Bot, Bench]:
    try:
        bot = open_bot(Settings(), Console(stderr=True))
    except GuideError as error:
        raise _stop(str(error)) from error
    if not bot.ready:
        raise _stop("the index or the encoder is not available; see the log lines above")
    return bot, Bench.of(bot.vetted, _detector(bot.vetted))


def _detector(vetted: Vetted) -> Detector:
    """Signed texts count as true: what the gate looks for is text that nobody signed, or a signed one twisted."""
    shown = [text for key, texts in signed_texts(vetted).items() if not key.startswith("help:") for text in texts]
    return Detector(vetted.known_errors, MiniLM(), [*shown, *(e.why_wrong for e in vetted.known_errors.values())])


def _all_cases(bot: Bot, split: Split, seed: int) -> list[Case]:
    cases = list(load_cases(split))
    for attack in attacks(bot.vetted.known_errors.values(), seed):
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


def _judged(cases: Sequence[Case], target: Target, bench: Bench, *, quiet: bool = False) -> list[Turn]:
    progress = cases if quiet else track(cases, f"asking {target.name}", console=Console(stderr=True))
    return [turn for case in progress for turn in _turns(case, target, bench)]


def _turns(case: Case, target: Target, bench: Bench) -> Iterator[Turn]:
    start = time.perf_counter()
    answers = target.converse([turn.ask for turn in case.turns])
    each_ms = (time.perf_counter() - start) * 1000 / len(case.turns)
    for expected, answer in zip(case.turns, answers, strict=True):
        scores = tuple(score for scorer in SCORERS if (score := scorer(expected, answer, bench)))
        yield Turn(case.id, case.family, case.tags, expected, replace(answer, ms=each_ms), scores)


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


def _write(report: Path, turns: Sequence[Turn], found: Sequence[Measure], bot: Bot) -> None:
    wrong = [turn for turn in turns if any(s.value != 1.0 for s in turn.scores)]
    failing = [{**asdict(turn), "expected": turn.expected.model_dump()} for turn in wrong]
    data = {"knowledge_digest": bot.vetted.digest, "measures": [asdict(m) for m in found], "failing": failing}
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")


def _stop(message: str) -> typer.Exit:
    Console(stderr=True).print(message, style="red", markup=False)
    return typer.Exit(2)


def main() -> None:
    """Run the command."""
    app()
