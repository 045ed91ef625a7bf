"""YAML text → the same text with one field of one entry set or taken out; every other byte stays as it is."""

import json
import re
from collections.abc import Iterator, Mapping
from textwrap import wrap

import yaml

from knowledge.schema import RECORDS, Fact, KnownError

_WIDTH = 118  # columns
_LISTS = frozenset({"asks", "assertions", "lookalikes", "sources", "seen_in"})  # one item a line
_BARE = re.compile(r"[a-z0-9]+(?:[:-][a-z0-9]+)*")


def set_field(text: str, entry_id: str, name: str, value: object) -> str:
    """Return `text` with the field `name` of an entry on one line.

    A field that is there is replaced where it stands, over however many lines it runs. A new one is put at the end of
    a file that holds one entry, and below the id of an entry in a list.

    Raises:
        ValueError: no entry of the text has that id.

    """
    at, root = _entry(text, entry_id)
    row = f"{name}: {_flow(value)}"
    lines = text.splitlines(keepends=True)
    if span := _span(at, name, lines):
        start, column, end = span
        return "".join([*lines[:start], lines[start][:column] + row + "\n", *lines[end:]])
    if at is root:
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{row}\n"
    key, value_node = next(pair for pair in at.value if pair[0].value == "id")
    lines.insert(value_node.end_mark.line + 1, " " * key.start_mark.column + row + "\n")
    return "".join(lines)


def drop_field(text: str, entry_id: str, name: str) -> str:
    """Return `text` without the field `name` of an entry; unchanged if the entry has none.

    Raises:
        ValueError: no entry of the text has that id.

    """
    at, _ = _entry(text, entry_id)
    lines = text.splitlines(keepends=True)
    span = _span(at, name, lines)
    return "".join([*lines[: span[0]], *lines[span[2] :]]) if span else text


def _entry(text: str, entry_id: str) -> tuple[yaml.MappingNode, yaml.Node]:
    """Return the mapping that has this id, and the root of the document."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if root is not None:
        for node in _mappings(root):
            if any(key.value == "id" and value.value == entry_id for key, value in node.value):
                return node, root
    raise ValueError(f"no entry with the id {entry_id}")


def _mappings(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Yield the places an entry can be: the document, the items of a list, the items of its field "lines"."""
    if isinstance(root, yaml.MappingNode):
        yield root
        lists = [value for key, value in root.value if key.value == "lines"]
    else:
        lists = [root]
    for items in lists:
        yield from (item for item in items.value if isinstance(item, yaml.MappingNode))


def _span(mapping: yaml.MappingNode, name: str, lines: list[str]) -> tuple[int, int, int] | None:
    """Return first line, column and line after the last of a field, comments behind it left out; None if not there."""
    for key, value in mapping.value:
        if key.value == name:
            last = max((leaf.end_mark for leaf in _leaves(value)), key=lambda mark: (mark.line, mark.column))
            end = last.line + (1 if last.column else 0)
            while end > key.start_mark.line + 1 and not lines[end - 1].strip():
                end -= 1
            return key.start_mark.line, key.start_mark.column, end
    return None


def _leaves(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield the nodes whose end is where their text ends; that of a block mapping is where the next thing begins."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        yield node
        return
    for child in node.value:
        yield from _leaves(child[1] if isinstance(node, yaml.MappingNode) else child)


def document(entry: Fact | KnownError) -> str:
    """Return the file of an entry as editors lay it out: folded prose, one ask a line, sign-offs on one line."""
    content = entry.model_dump(exclude_defaults=True)
    content["author"] = content.pop("author", entry.author)
    records = {name: content.pop(name) for name in sorted(RECORDS) if name in content}
    return "".join(_block(name, value) for name, value in content.items()) + "".join(
        f"{name}: {_flow(value)}\n" for name, value in records.items()
    )


def _block(name: str, value: object) -> str:
    """Return one field of an entry as lines."""
    if isinstance(value, str) and len(value) > _WIDTH - 20 and "  " not in value:
        folded = wrap(value, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
        return "\n  ".join([f"{name}: >-", *folded]) + "\n"
    if isinstance(value, tuple) and name in _LISTS:
        return "\n  - ".join([f"{name}:", *map(_item, value)]) + "\n"
    return f"{name}: {_plain(value)}\n"


def _item(value: object) -> str:
    """Return one item of a list, a mapping with one field on a line."""
    if isinstance(value, Mapping):
        return "\n    ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return _plain(value)


def _plain(value: object) -> str:
    """Return a value as YAML for the rest of a line; words stay bare where YAML reads them back as they are."""
    if not isinstance(value, str):
        return _flow(value)
    try:
        same = yaml.safe_load(f"- {value}") == [value]
    except yaml.YAMLError:
        same = False
    return value if same else json.dumps(value, ensure_ascii=False)


def _flow(value: object) -> str:
    """Return a plain value as YAML on one line; words stay bare where YAML reads them back as they are."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and (not _BARE.fullmatch(value) or yaml.safe_load(value) != value):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a YAML string
    return str(value)
