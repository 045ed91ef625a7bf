"""`knowledge`: the editor's command, from a draft to a signed and served fact."""

from collections.abc import Callable

import typer

from app import logs
from app.commands.drafting import check, new, try_command
from app.commands.publishing import export, index, stats, verify
from app.commands.reviewing import diff, due_command, history_command, retract_command, sign_command
from app.commands.terminal import OneLineErrors, examples

app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    help="Write, check, sign and try vetted facts. Exit codes: 0 done, 1 problems or a refusal, 2 it could not be run.",
    epilog="Completion for your shell: knowledge --install-completion",
)
# (name, function, panel of the help, examples)
_COMMANDS: tuple[tuple[str, Callable[..., None], str, tuple[str, ...]], ...] = (
    (
        "new",
        new,
        "Write",
        ("new", "new cocaine-blocks-reuptake --topic cocaine --question 'How does cocaine act on dopamine?'"),
    ),
    (
        "try",
        try_command,
        "Write",
        ('try "why does coke feel good"', 'try "why does coke feel good" --draft fact:cocaine-blocks-reuptake'),
    ),
    ("check", check, "Write", ("check --advice", "check --watch", "check --format github", "check --leave-one-out")),
    ("diff", diff, "Review", ("diff fact:cocaine-blocks-reuptake",)),
    (
        "sign",
        sign_command,
        "Review",
        (
            "sign fact:cocaine-blocks-reuptake --as source-check",
            "sign fact:naloxone-reverses-overdose --as safety-check --second",
        ),
    ),
    (
        "retract",
        retract_command,
        "Review",
        ('retract fact:cocaine-blocks-reuptake --reason "its source was withdrawn"',),
    ),
    ("due", due_command, "Review", ("due", "due --days 30")),
    ("history", history_command, "Review", ("history fact:cocaine-blocks-reuptake",)),
    ("index", index, "Publish", ("index",)),
    ("stats", stats, "Publish", ("stats",)),
    (
        "export",
        export,
        "Publish",
        ("export csv --out facts.csv", "export claimreview --site https://example.org --out claims.jsonld"),
    ),
    ("verify", verify, "Publish", ("verify https://example.org", "verify answer-of-api-knowledge.json")),
)
for _name, _function, _panel, _lines in _COMMANDS:
    app.command(_name, rich_help_panel=_panel, epilog=examples(*_lines))(_function)


def main() -> None:
    """Run the command."""
    logs.configure()
    app()
