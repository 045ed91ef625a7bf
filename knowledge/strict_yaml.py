"""A YAML file → plain values and the line of every field; whatever could harm the reader is refused with its line.

Read from the parser's events with a stack of our own: PyYAML's composer calls itself once a level, so that brackets
without end overflow the C stack and take the process along. Aliases, repeated keys and keys that are no scalars are
refused: nobody needs them here, and nested aliases ("billion laughs") exhaust memory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from knowledge.errors import BrokenFileError

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 20  # levels; the deepest file that ships has six
_MEND = "mend the YAML; indent with spaces"
_TEXT_TAG = "tag:yaml.org,2002:str"
_RESOLVER = Resolver()

Lines = Mapping[str, int]  # dotted path of a field → its line; "" is the whole value


def read_yaml(file: Path) -> tuple[Any, Lines]:
    """Return the value in `file` and the line of every field; raises as `content_of` and `parse_yaml`."""
    return parse_yaml(content_of(file))


def content_of(file: Path) -> bytes:
    """Return the bytes of `file`.

    Raises:
        BrokenFileError: it cannot be read, or is too large.

    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise BrokenFileError("unreadable", 1, f"larger than {MAX_FILE_BYTES} bytes", "split the file")
        return file.read_bytes()
    except OSError as error:
        raise BrokenFileError("unreadable", 1, f"cannot be read: {error.strerror}", "restore the file") from error


def parse_yaml(content: bytes) -> tuple[Any, Lines]:
    """Return the value that `content` says and the line of every field.

    Raises:
        BrokenFileError: it is empty, not UTF-8, not YAML, or holds something refused.

    """
    reader = _Reader()
    try:
        for event in yaml.parse(content.decode("utf-8"), Loader=yaml.CSafeLoader):
            reader.take(event)
    except UnicodeDecodeError as error:
        line = _line_at(content, error.start)
        raise BrokenFileError("unreadable", line, f"not UTF-8: {error.reason}", "save the file in UTF-8") from error
    except yaml.reader.ReaderError as error:
        line = _line_at(content, error.position)
        raise BrokenFileError("unreadable", line, "a character that YAML forbids", "delete that character") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BrokenFileError(
            "yaml", mark.line + 1 if mark else 1, str(error.problem or error.context), _MEND
        ) from error
    if not reader.lines:
        raise BrokenFileError("unreadable", 1, "the file is empty", "restore the file")
    return reader.value, reader.lines


def _line_at(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


class _Reader:
    """Takes the parser's events one by one and builds the value.

    Attributes:
        value: what was read so far.
        lines: the line of every field so far.

    """

    def __init__(self) -> None:
        self.value: Any = None
        self.lines: dict[str, int] = {}
        self._open: list[tuple[str, list[Any] | dict[str, Any]]] = []  # path and value of each unfinished level
        self._keys: list[str | None] = []  # for each level the key whose value comes next

    def take(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            yaml.MarkedYAMLError: it is one that is refused.

        """
        if isinstance(event, yaml.AliasEvent):
            raise _refused("YAML aliases are not allowed", event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) >= MAX_DEPTH:
                raise _refused(f"more than {MAX_DEPTH} levels", event)
            value: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self._open.append((self._put(value, event), value))
            self._keys.append(None)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        into = self._open[-1][1] if self._open else None
        if not isinstance(into, dict) or self._keys[-1] is not None:
            self._put(_constructed(event), event)
        elif event.value in into:
            raise _refused(f"the key {event.value!r} stands twice", event)
        else:
            self._keys[-1] = event.value

    def _put(self, value: Any, event: yaml.NodeEvent) -> str:
        """Put `value` where it belongs and return its path."""
        path = ""
        if self._open:
            outer, into = self._open[-1]
            if isinstance(into, list):
                step = str(len(into))
                into.append(value)
            else:
                key = self._keys[-1]
                if key is None:
                    raise _refused("a key must be a word, not a list or a mapping", event)
                step, into[key], self._keys[-1] = key, value, None
            path = f"{outer}.{step}" if outer else step
        elif self.lines:
            raise _refused("a second document in the file", event)
        else:
            self.value = value
        self.lines[path] = _mark(event).line + 1
        return path


def _constructed(event: yaml.ScalarEvent) -> Any:
    tag = event.tag or _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
    if tag == _TEXT_TAG:
        return event.value
    try:
        return SafeConstructor().construct_object(yaml.ScalarNode(tag, event.value, _mark(event), _mark(event)))
    except ValueError as error:  # 2026-13-01 looks like a date and is none
        raise _refused(f"{event.value[:40]!r}: {error}", event) from error


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=_mark(event))


def _mark(event: yaml.Event) -> Any:
    return event.start_mark  # Any: the stubs do not know that the C parser has marks of its own
