"""What the `knowledge` commands share at the terminal: printing, exit codes, completion of ids."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from app.bot import Bot
from app.commands.ask import open_bot
from app.settings import Settings
from knowledge.errors import GuideError
from knowledge.store import Entry, KnowledgeBase
from knowledge.text import sentences

console = Console(highlight=False)
_READ = ("question", "claim", "answer", "detail", "correction", "why_wrong", "text")


class OneLineErrors(TyperGroup):
    """A group whose commands end in one clear line and exit code 2 where the project or the disk refuses."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (GuideError, OSError) as error:
            Console(stderr=True, highlight=False).print(str(error), style="red", markup=False, soft_wrap=True)
            raise typer.Exit(2) from error


def complete_id(incomplete: str) -> Iterator[str]:
    """Yield ids of facts and known errors for the shell's completion, from the names of the files."""
    home = Settings().knowledge_dir
    for kind, pattern in (("fact", "facts/*/*.yaml"), ("error", "known_errors/*.yaml")):
        names = (f"{kind}:{file.stem}" for file in sorted(home.glob(pattern)))
        yield from (name for name in names if name.startswith(incomplete))


Key = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="fact:<id>, error:<id>, notice:<id>, help:<id> or phrases:<id>", autocompletion=complete_id
    ),
]


def running_bot() -> Bot:
    """Open the bot on today's base, with a progress bar while the index is built."""
    return open_bot(Settings(), Console(stderr=True))


def examples(*lines: str) -> str:
    """Return the examples below a command's help."""
    return "Examples:\n\n" + "\n\n".join(f"knowledge {line}" for line in lines)


def show_entry(key: str, entry: Entry, base: KnowledgeBase) -> None:
    """Print what a reviewer reads: every sentence, the sources with what they support, and the asks."""
    console.rule(key)
    for field in _READ:
        for sentence in sentences(getattr(entry, field, None) or ""):
            console.print(sentence, markup=False)
    for citation in getattr(entry, "sources", ()):
        source = base.sources[citation.id]
        where = source.URL or source.DOI or ""
        console.print(f"  {source.title} ({citation.locator}): {citation.supports} {where}", markup=False, style="dim")
    if asks := getattr(entry, "asks", ()):
        console.print(f"  answers {len(asks)} asks: {' · '.join(asks)}", markup=False, style="dim")
