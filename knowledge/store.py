"""Files → knowledge base: every file is read, every fault becomes a `Problem` with file and line."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from knowledge.errors import BrokenFileError, EditConflictError
from knowledge.lexicon import Lexicon
from knowledge.schema import (
    ClaimAudit,
    Country,
    Entity,
    Fact,
    HelpLine,
    KnownError,
    Model,
    Notice,
    PhraseBook,
    Problem,
    Reviewed,
    Source,
)
from knowledge.strict_yaml import Lines, content_of, parse_yaml

HOME = Path(__file__).parent
M = TypeVar("M", bound=Model)
Entry = Fact | KnownError | Notice | HelpLine | PhraseBook  # what carries a sign-off
_MODELS: dict[str, type[Entry]] = {
    "fact": Fact,
    "error": KnownError,
    "notice": Notice,
    "help": HelpLine,
    "phrases": PhraseBook,
}


@dataclass(frozen=True)
class Place:
    """Where an entry stands.

    Attributes:
        file: the file.
        lines: dotted path of a field → its line; "" is the entry itself.
        version: the file's `version_of` when it was read.

    """

    file: Path
    lines: Lines
    version: str = ""

    def line(self, path: str = "") -> int:
        """Return the line of a field, or of the nearest enclosing one that the file has."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)


@dataclass(frozen=True)
class KnowledgeBase:
    """Everything the files say, signed or not. `knowledge.signing.vet` picks what may be shown."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    known_errors: Mapping[str, KnownError] = field(default_factory=dict)
    notices: Mapping[str, Notice] = field(default_factory=dict)
    countries: Mapping[str, Country] = field(default_factory=dict)
    phrases: Mapping[str, PhraseBook] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    entities: Mapping[str, Entity] = field(default_factory=dict)
    audits: Mapping[str, ClaimAudit] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)  # "fact:<id>", "notice:<id>", … → where it stands
    retracted: Mapping[str, Entry] = field(default_factory=dict)  # "fact:<id>" … → in none of the mappings above

    def signable(self) -> Iterator[tuple[str, Entry]]:
        """Yield ("fact:<id>", entry) and so on for everything that carries a sign-off and is not retracted."""
        yield from ((f"fact:{k}", v) for k, v in self.facts.items())
        yield from ((f"error:{k}", v) for k, v in self.known_errors.items())
        yield from ((f"notice:{k}", v) for k, v in self.notices.items())
        for country in self.countries.values():
            yield from ((f"help:{line.id}", line) for line in country.lines)
        yield from ((f"phrases:{k}", v) for k, v in self.phrases.items())

    @cached_property
    def lexicon(self) -> Lexicon:
        """How visitors' words are understood."""
        return Lexicon(self.entities)

    @cached_property
    def askers(self) -> Mapping[str, tuple[str, ...]]:
        """Ask in canonical words → the keys of the entries that have it."""
        found: dict[str, tuple[str, ...]] = {}
        for key, entry in self.signable():
            for ask in getattr(entry, "asks", ()):
                canonical = self.lexicon.canonical(ask)
                found[canonical] = tuple(dict.fromkeys((*found.get(canonical, ()), key)))
        return found


def load(home: Path = HOME) -> tuple[KnowledgeBase, tuple[Problem, ...]]:
    """Read every file of the knowledge base under `home`.

    Returns what could be read and a problem for each thing that could not. Nothing is written.
    """
    reader = _Reader(home)
    facts = reader.each("fact", "facts/*/*.yaml", Fact)
    errors = reader.each("error", "known_errors/*.yaml", KnownError)
    countries = reader.each("country", "help/*.yaml", Country, key="code")
    base = KnowledgeBase(
        facts=facts,
        known_errors=errors,
        notices=reader.listed("notice", "notices.yaml", Notice),
        countries=countries,
        phrases=reader.each("phrases", "phrases/*.yaml", PhraseBook),
        sources=reader.listed("source", "sources.yaml", Source),
        entities=reader.listed("entity", "lexicon.yaml", Entity),
        audits=reader.each("audit", "claims/*.yaml", ClaimAudit, key="article"),
        places=reader.places,
        retracted=reader.retracted,
    )
    return base, tuple(reader.problems)


class _Reader:
    """Collects entries, places and problems while the files are read."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.places: dict[str, Place] = {}
        self.problems: list[Problem] = []
        self.retracted: dict[str, Any] = {}

    def each(self, kind: str, pattern: str, model: type[M], key: str = "id") -> dict[str, M]:
        """Read one entry a file; the file is named after the entry."""
        found: dict[str, M] = {}
        for file in sorted(self.home.glob(pattern)):
            for data, place in self._parsed(file):
                entry = self._entry(kind, data, place, model, key, found)
                if entry is not None and getattr(entry, key) != file.stem:
                    self._problem("file-name", file, place.line(key), f"{key} differs from the file name", "rename one")
        return found

    def listed(self, kind: str, name: str, model: type[M]) -> dict[str, M]:
        """Read a file that holds a list of entries."""
        found: dict[str, M] = {}
        file = self.home / name
        for data, place in self._parsed(file):
            if not isinstance(data, list):
                self._problem("schema", file, 1, "the file is not a list", "start every entry with '- id: …'")
                continue
            lines = _by_entry(place.lines)
            for i, item in enumerate(data):
                self._entry(kind, item, replace(place, lines=lines[str(i)]), model, "id", found)
        return found

    def _entry(self, kind: str, data: Any, place: Place, model: type[M], key: str, found: dict[str, M]) -> M | None:
        entry = self._validated(data, place, model)
        if entry is None:
            return None
        name = getattr(entry, key)
        if name in found or f"{kind}:{name}" in self.retracted:
            self._problem("duplicate-id", place.file, place.line(key), f"the id {name} is taken", "choose another id")
            return None
        self.places[f"{kind}:{name}"] = place
        if isinstance(entry, Reviewed) and entry.retracted:
            self.retracted[f"{kind}:{name}"] = entry
            return entry
        if isinstance(entry, Country):
            self.places.update({f"help:{line.id}": place for line in entry.lines})
            self.retracted.update({f"help:{line.id}": line for line in entry.lines if line.retracted})
            entry = entry.model_copy(update={"lines": tuple(line for line in entry.lines if not line.retracted)})
        found[name] = entry
        return entry

    def _validated(self, data: Any, place: Place, model: type[M]) -> M | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for fault in error.errors():
                path = ".".join(map(str, fault["loc"]))
                message = f"{path or 'the entry'}: {fault['msg']}"
                self._problem("schema", place.file, place.line(path), message, "see the formats in knowledge/README.md")
            return None

    def _parsed(self, file: Path) -> Iterator[tuple[Any, Place]]:
        """Yield the file's value and where it stands, or nothing and a problem."""
        try:
            content = content_of(file)
            value, lines = parse_yaml(content)
            yield value, Place(file, lines, _version(content))
        except BrokenFileError as error:
            self._problem(error.code, file, error.line, str(error), error.mend)

    def _problem(self, code: str, file: Path, line: int, message: str, mend: str) -> None:
        self.problems.append(
            Problem(code=code, severity="error", file=file, line=line, message=message[:300], mend=mend)
        )


def entry_in(text: str, key: str) -> Entry:
    """Return the entry `key` ("fact:<id>" …) of a file's text, from today's files or from an older version of one.

    Raises:
        ValueError: the text is no such file, or has no such entry.

    """
    kind, _, name = key.partition(":")
    try:
        data, _ = parse_yaml(text.encode())
    except BrokenFileError as error:
        raise ValueError(f"not a knowledge file: {error}") from error
    lines = data.get("lines", ()) if isinstance(data, dict) else data
    entries = {"notice": data, "help": lines}.get(kind, [data])
    for item in entries if isinstance(entries, list) else ():
        if kind in _MODELS and isinstance(item, dict) and item.get("id") == name:
            return _MODELS[kind].model_validate(item)
    raise ValueError(f"no entry {key}")


def _by_entry(lines: Lines) -> dict[str, dict[str, int]]:
    """Split the lines of a list: index of the entry → the lines of its fields."""
    found: dict[str, dict[str, int]] = {}
    for path, line in lines.items():
        index, _, own = path.partition(".")
        found.setdefault(index, {})[own] = line
    return found


def version_of(file: Path) -> str:
    """Return a fingerprint of the file's bytes, "" if there is no file: tells whether somebody else changed it."""
    try:
        return _version(file.read_bytes())
    except FileNotFoundError:
        return ""


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_atomically(file: Path, text: str, seen: str | None = None) -> None:
    """Replace `file` by `text` so that a reader, or a crash, meets the old file or the new one and nothing between.

    Args:
        file: the file; its folder is created.
        text: the whole new content.
        seen: the `version_of` the file that `text` was made from; None writes over whatever is there.

    Raises:
        EditConflictError: the file is no longer the one that was seen. Nothing was written.
        OSError: the disk is full, or the folder cannot be written. The old file is as it was.

    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file.parent) as folder:
        if seen is not None and version_of(file) != seen:
            raise EditConflictError(
                f"{file.name} was changed by somebody else after you read it: nothing was written; "
                "read it again and repeat your change"
            )
        for abandoned in file.parent.glob(f".{file.name}.*"):
            abandoned.unlink()  # the draft of a writer that was killed: whoever writes now is alone here
        _replace(file, text)
        os.fsync(folder)  # the rename itself survives a power cut


def _replace(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as draft:
        try:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
            os.fchmod(draft.fileno(), file.stat().st_mode if file.exists() else 0o644)
            Path(draft.name).replace(file)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the only writer's place in `folder`. The folder itself is locked, so no lock file is left behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
