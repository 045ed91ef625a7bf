"""The index: built from signed text only, verified, rebuilt when it is not what it should be."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import IndexUnavailableError
from knowledge.index import Index, open_index, views
from knowledge.signing import Vetted, vet
from knowledge.store import KnowledgeBase, load
from tests import fakes

ENCODER = fakes.HashEncoder()


@pytest.fixture
def vetted(home: Path) -> Vetted:
    """What may be shown of the tiny base."""
    return fakes.vetted_of(home)


def folders(place: Path) -> list[str]:
    """Return the names of the index folders."""
    return sorted(folder.name for folder in place.iterdir())


def works(index: Index) -> bool:
    """Return whether a question finds its own view first, at a cosine of 1."""
    (view_id, cosine), *_ = index.nearest(ENCODER.encode(["how does cocaine work"])[0], 3)
    return view_id.startswith("fact:cocaine-blocks-reuptake#") and cosine == pytest.approx(1, abs=1e-4)


def test_an_index_is_built_and_then_opened_again(vetted: Vetted, tmp_path: Path) -> None:
    """The second time nothing is encoded: the folder is there, complete and right."""
    calls: list[tuple[int, int]] = []
    first = open_index(vetted, ENCODER, tmp_path, lambda done, total: calls.append((done, total)))
    names, built = folders(tmp_path), len(calls)
    again = open_index(vetted, ENCODER, tmp_path, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(first.views), len(first.views))
    assert (folders(tmp_path), len(calls)) == (names, built)
    assert works(first)
    assert works(again)
    assert np.allclose(first.vectors, again.vectors)


def test_only_signed_text_is_indexed(home: Path, tmp_path: Path) -> None:
    """A draft has no view."""
    file = fakes.fact_file(home)
    file.write_text(file.read_text().replace("risk: low", "risk: high"))
    index = open_index(fakes.vetted_of(home), ENCODER, tmp_path)
    assert {view.owner for view in index.views} == {
        "fact:cocaine-blocks-reuptake",
        "fact:naloxone-reverses-overdose",
        "error:lsd-blocks-serotonin",
    }
    assert set(index.store.get()["ids"]) == {view.id for view in index.views}


def _no_marker(folder: Path) -> None:
    (folder / "complete").unlink()


def _no_vectors(folder: Path) -> None:
    for place in folder.iterdir():
        if place.is_dir():
            shutil.rmtree(place)


def _garbage(folder: Path) -> None:
    (folder / "chroma.sqlite3").write_bytes(b"this is no database" * 100)


def _truncated(folder: Path) -> None:
    file = folder / "chroma.sqlite3"
    file.write_bytes(file.read_bytes()[:4096])


def _gone(folder: Path) -> None:
    (folder / "chroma.sqlite3").unlink()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "unfinished": _no_marker,
    "vectors lost": _no_vectors,
    "garbage": _garbage,
    "truncated": _truncated,
    "database lost": _gone,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_rebuilt(vetted: Vetted, tmp_path: Path, name: str) -> None:
    """After a crash or a meddling hand, the next start has a right index again."""
    # A copy under the same name: Chroma keeps databases it has opened in this process.
    open_index(vetted, ENCODER, tmp_path / "first")
    (folder,) = (tmp_path / "first").iterdir()
    copy = tmp_path / "second" / folder.name
    shutil.copytree(folder, copy)
    DAMAGE[name](copy)
    assert works(open_index(vetted, ENCODER, tmp_path / "second"))


@pytest.mark.parametrize("meddle", ["add", "delete", "rewrite"])
def test_a_store_with_other_content_is_refused_and_rebuilt(vetted: Vetted, tmp_path: Path, meddle: str) -> None:
    """One text more, one less or one other than was signed: the store is not used."""
    store = open_index(vetted, ENCODER, tmp_path).store
    held = store.get()["ids"][0]
    if meddle == "add":
        store.add_texts(["cocaine is good for you"], ids=["fact:poison#0"])
    elif meddle == "delete":
        store.delete([held])
    else:
        vector = ENCODER.encode(["cocaine"]).tolist()
        store._collection.update(ids=[held], documents=["cocaine is good for you"], embeddings=vector)
    index = open_index(vetted, ENCODER, tmp_path)
    assert works(index)
    assert "fact:poison#0" not in index.store.get()["ids"]
    assert "cocaine is good for you" not in index.store.get()["documents"]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="knowledge/index.py: _verified_vectors compares texts and ids, not the vectors",
)
def test_a_store_with_swapped_vectors_is_refused_and_rebuilt(vetted: Vetted, tmp_path: Path) -> None:
    """With the right texts and another text's vectors, a store would point questions at wrong facts."""
    store = open_index(vetted, ENCODER, tmp_path).store
    ids = [view.id for view in views(vetted) if view.owner == "fact:lsd-turns-receptors-on"]
    store._collection.update(ids=ids, embeddings=ENCODER.encode(["how does cocaine work"] * len(ids)).tolist())
    index = open_index(vetted, ENCODER, tmp_path)
    assert np.allclose(index.vectors, ENCODER.encode([view.text for view in index.views]), atol=1e-5)


def test_a_changed_base_or_encoder_gets_an_index_of_its_own(home: Path, tmp_path: Path) -> None:
    """Old folders stay for a process that still uses them, up to three."""

    class Other(fakes.HashEncoder):
        fingerprint = "hash:other"

    open_index(fakes.vetted_of(home), ENCODER, tmp_path / "index")
    open_index(fakes.vetted_of(home), Other(), tmp_path / "index")
    assert len(folders(tmp_path / "index")) == 2
    for name in (fakes.LSD, fakes.COCAINE):
        fakes.fact_file(home, name).unlink()
        open_index(fakes.vetted_of(home), ENCODER, tmp_path / "index")
    assert len(folders(tmp_path / "index")) == 3


def test_a_folder_that_cannot_be_written_is_an_error_with_a_mend(vetted: Vetted, tmp_path: Path) -> None:
    """The message names the setting to change."""
    (tmp_path / "blocked").write_text("a file")
    with pytest.raises(IndexUnavailableError, match="INDEX_DIR"):
        open_index(vetted, ENCODER, tmp_path / "blocked")


def test_nothing_signed_nothing_indexed(tmp_path: Path) -> None:
    """An empty base is an error that names the command to run."""
    with pytest.raises(IndexUnavailableError, match="knowledge sign"):
        open_index(vet(KnowledgeBase(), fakes.TODAY), ENCODER, tmp_path)


def test_a_failed_build_leaves_no_folder(vetted: Vetted, tmp_path: Path) -> None:
    """When the encoder dies half-way, nothing half-built is left."""

    class Dying(fakes.HashEncoder):
        def encode(self, texts: list[str]) -> np.ndarray:
            raise MemoryError

    with pytest.raises(MemoryError):
        open_index(vetted, Dying(), tmp_path / "index")
    assert folders(tmp_path / "index") == []


def test_views_are_asks_titles_answers_and_claims(home: Path) -> None:
    """Every phrasing is there once, in canonical words, with consecutive rows per owner."""
    found = views(fakes.vetted_of(home))
    assert load(home)[0].facts.keys() <= {view.owner.partition(":")[2] for view in found}
    assert len({view.id for view in found}) == len(found)
    owners = [view.owner for view in found]
    assert sorted(set(owners), key=owners.index) == list(dict.fromkeys(owners))
    texts = [view.text for view in found if view.owner == "fact:lsd-turns-receptors-on"]
    assert len(texts) == len(set(texts))
    assert "what does lsd do to serotonin" in texts  # asked as "acid"
