"""Setting and dropping one field of a YAML file without touching another byte."""

from datetime import date

import pytest
import yaml

from knowledge.layout import document, drop_field, set_field
from knowledge.schema import Fact, KnownError
from knowledge.store import entry_in
from tests import fakes

REVIEW = {"by": "source-check", "on": date(2026, 11, 21), "digest": "sha256:00"}
ROW = "review: {by: source-check, on: 2026-11-21, digest: sha256:00}\n"
BLOCK = "review:\n  by: x\n  digest: >-\n    sha256:11\n\n"
HEAD, TAIL = "# é: why\nid: a\n", "# after\nrisk: low\n"
# (name, before, after setting a review, after dropping it)
ONE = [
    ("absent", HEAD + TAIL, HEAD + TAIL + ROW, HEAD + TAIL),
    ("no line break at the end", "id: a", "id: a\n" + ROW, "id: a"),
    ("one line", HEAD + "review: {by: x}\n" + TAIL, HEAD + ROW + TAIL, HEAD + TAIL),
    ("block", HEAD + BLOCK + TAIL, HEAD + ROW + "\n" + TAIL, HEAD + "\n" + TAIL),
    ("flow over lines", HEAD + "review: {by: x,\n  on: y}\n" + TAIL, HEAD + ROW + TAIL, HEAD + TAIL),
    ("empty", HEAD + "review:\n" + TAIL, HEAD + ROW + TAIL, HEAD + TAIL),
]
LIST = "- id: a\n  text: one\n-   id: b\n    text: >-\n      two\n"


@pytest.mark.parametrize(("name", "before", "with_it", "without"), ONE, ids=[case[0] for case in ONE])
def test_a_field_is_set_and_dropped_whole(name: str, before: str, with_it: str, without: str) -> None:
    """Over however many lines it runs, and comments and blank lines around it stay."""
    assert set_field(before, "a", "review", REVIEW) == with_it
    assert drop_field(before, "a", "review") == without


def test_an_entry_of_a_list_is_changed_where_it_stands() -> None:
    """Below its id, at its own indentation, and no other entry is touched."""
    assert set_field(LIST, "b", "review", REVIEW) == LIST.replace("id: b\n", "id: b\n    " + ROW)
    assert drop_field(LIST, "a", "text") == LIST.replace("  text: one\n", "")


def test_an_id_in_another_place_is_no_entry() -> None:
    """A source that has the id of the fact is not the fact."""
    with pytest.raises(ValueError, match="no entry"):
        set_field("id: a\nsources:\n  - id: b\n", "b", "review", REVIEW)


@pytest.mark.parametrize(
    "reason", ["no", "2026-01-01", 'says "x": {y}', "# not", "plain words, with a comma", "é", "["]
)
def test_any_words_survive(reason: str) -> None:
    """A reason is free text: YAML reads back what was written."""
    assert yaml.safe_load(set_field("id: a\n", "a", "note", {"reason": reason}))["note"]["reason"] == reason


@pytest.mark.parametrize(
    ("model", "content", "key"),
    [(Fact, fakes.LSD, "fact"), (Fact, fakes.NALOXONE, "fact"), (KnownError, fakes.LSD_ERROR, "error")],
)
def test_a_document_is_read_back_as_it_was(
    model: type[Fact | KnownError], content: dict[str, object], key: str
) -> None:
    """Prose is folded, asks stand one a line, and nothing of the content changes."""
    odd = (
        {"answer": '5-HT: it\'s "yes" #1, and [so] on. ' * 4}
        if model is Fact
        else {"asks": ["- no", "yes", "a: b", "12"] * 3}
    )
    entry = model.model_validate(fakes.signed(model, content | odd))
    text = document(entry)
    assert entry_in(text, f"{key}:{entry.id}") == entry
    assert max(map(len, text.splitlines()[:20])) <= 120
