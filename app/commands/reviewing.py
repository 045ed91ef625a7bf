"""`knowledge sign`, `diff`, `retract`, `due`, `history`: from a draft to a signed text, and out of service again."""

from typing import Annotated

import typer
from rich.table import Table

from app.bot import utc_today
from app.commands.terminal import Key, complete_id, console, show_entry
from app.settings import Settings
from knowledge.agenda import due, waiting
from knowledge.editing import entry_of, links_to, require_signable, retract, sign_entry
from knowledge.errors import GuideError, KnowledgeError, UnknownIdError
from knowledge.history import Change, changes, last_signed, versions
from knowledge.schema import Level
from knowledge.signing import holds, standing
from knowledge.store import Entry, load

_STYLES = {" ": None, "-": "red", "+": "green"}


def sign_command(
    ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID",
            help="fact:<id>, error:<id>, notice:<id>, help:<id>, phrases:<id>",
            autocompletion=complete_id,
        ),
    ],
    by: Annotated[str, typer.Option("--as", help="the reviewer's role; never the author's")],
    level: Annotated[Level, typer.Option(help="how it was reviewed")] = "source-checked",
    second: Annotated[bool, typer.Option(help="this is the second review of a high-risk text")] = False,
    yes: Annotated[bool, typer.Option(help="do not ask for confirmation")] = False,
) -> None:
    """Sign reviewed texts. Shows each text with its sources and its asks, and asks before it signs.

    Refuses the author, a text that has not changed since it was signed, and a text that fails a check.
    """
    base, _ = load(Settings().knowledge_dir)
    today = utc_today()
    refused = 0
    for key in ids:
        try:
            require_signable(base, key, by, level, today, second=second)
            if not yes:
                show_entry(key, entry_of(base, key), base)
                typer.confirm(f"Sign {key} as {by}?", abort=True)
            sign_entry(base, key, by, level, today, second=second)
        except GuideError as error:
            refused += 1
            console.print(f"{key}: {error}", style="red", markup=False, soft_wrap=True)
    console.print(f"{len(ids) - refused} signed, {refused} refused")
    raise typer.Exit(1 if refused else 0)


def diff(key: Key) -> None:
    """Show, sentence by sentence, what changed since the last sign-off that holds (read from git)."""
    base, _ = load(Settings().knowledge_dir)
    entry = entry_of(base, key)
    if entry.review and holds(entry, entry.review):
        console.print(f"{key} is as it was signed on {entry.review.on}")
        return
    before = last_signed(base.places[key], key)
    if before and before.entry.review:
        console.print(f"signed on {before.entry.review.on}, commit {before.revision[:10]}", style="dim")
    else:
        console.print("git has no signed version of it: all of it is new", style="dim")
    found = changes(before.entry if before else None, entry)
    _print_changes(found)
    if not any(change.mark != " " for change in found):
        console.print("the words are the same; reviewer, level or dates of the sign-off were changed")


def retract_command(
    key: Key,
    reason: Annotated[str, typer.Option(help="why; others will read it")],
    by: Annotated[str, typer.Option("--as", help="the role that decides")] = "editor",
    yes: Annotated[bool, typer.Option(help="do not ask for confirmation")] = False,
) -> None:
    """Take a text out of service and say what still points at it.

    No reply can hold it any more. Its words, the reason and its old sign-offs stay in the file. To bring it back, take
    the line `retracted:` out; it is a draft then and needs new sign-offs.
    """
    base, _ = load(Settings().knowledge_dir)
    entry = entry_of(base, key)
    if not yes:
        show_entry(key, entry, base)
        for link in links_to(base, key):
            console.print(link, markup=False)
        typer.confirm(f"Retract {key}?", abort=True)
    links = retract(base, key, by, reason, utc_today())
    console.print(f"{key} is retracted: a running site drops it when it next reads the files")
    for link in links:
        console.print(f"still there: {link}", markup=False)


def due_command(
    days: Annotated[int, typer.Option(min=0, max=3650, help="how far to look ahead")] = 90,
) -> None:
    """List what waits for a reviewer, and the reviews that fall due, the most urgent first."""
    base, _ = load(Settings().knowledge_dir)
    today = utc_today()
    table = Table("entry", "waits for", "until", box=None)
    for item in waiting(base, today):
        reason = f": {item.sent_back.reason}" if item.sent_back else ""
        table.add_row(item.key, item.step + reason, "")
    for review in due(base, today, days):
        table.add_row(review.key, "next review" if review.standing == "signed" else review.standing, str(review.on))
    if table.row_count:
        console.print(table)
    console.print(f"{table.row_count} entries wait, looking {days} days ahead")


def history_command(key: Key) -> None:
    """Tell the life of a text, from its draft to today: when, which role, what changed, which sources (from git)."""
    base, _ = load(Settings().knowledge_dir)
    if key not in base.places:
        raise UnknownIdError(f"no entry {key!r}: write fact:<id>, error:<id>, notice:<id>, help:<id> or phrases:<id>")
    past = list(versions(base.places[key], key))
    if not past:
        raise KnowledgeError(f"git does not know {key}: its file is not committed, or the base is in no git checkout")
    before: Entry | None = None
    for version in reversed(past):
        state = standing(version.entry, version.on.date())
        review = version.entry.review
        signed = f" by {review.by} ({review.level})" if review and state != "draft" else ""
        title = f"{version.on:%Y-%m-%d} · {version.by} · {version.subject} · {state}{signed}"
        console.print(title, markup=False, style="bold", soft_wrap=True)
        _print_changes(tuple(change for change in changes(before, version.entry) if change.mark != " "))
        before = version.entry
    now = base.retracted[key] if key in base.retracted else entry_of(base, key)
    if now != before:
        console.print("today · not committed yet", style="bold")
        _print_changes(tuple(change for change in changes(before, now) if change.mark != " "))


def _print_changes(found: tuple[Change, ...]) -> None:
    for change in found:
        line = f"{change.mark}{change.text}" if change.mark == " " else f"{change.mark}{change.text}  ({change.field})"
        console.print(line, markup=False, style=_STYLES[change.mark], soft_wrap=True)
