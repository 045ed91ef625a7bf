"""Signed facts → a Chroma index of views, built beside the old one and verified before it counts.

The index is a cache: a folder named after everything that went into it. If no finished folder for today's signed texts
is there, or it does not hold exactly what it should, a new one is built. Nothing a visitor reads ever comes out of it;
it only says which ids are near a question.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from chromadb import PersistentClient
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError
from langchain_chroma import Chroma

from knowledge.encoder import Encoder
from knowledge.errors import IndexUnavailableError
from knowledge.lexicon import Lexicon
from knowledge.schema import Fact, KnownError
from knowledge.signing import Vetted
from knowledge.text import plain

_log = structlog.get_logger()

FORMAT = 2  # raise it when views or collection settings change, so that old folders are not opened
_BATCH = 512
_MARKER = "complete"
_KEPT = 3  # finished index folders: the live one, the one before it, and one for a second process
_ABANDONED_S = 3600
# With Chroma's defaults (M 16, ef 100) recall falls as the base grows; these keep it at .99 and cost tenths of a
# millisecond. One thread while inserting makes the graph, and so every answer, the same in every build.
_HNSW: CreateHNSWConfiguration = {
    "space": "cosine",
    "max_neighbors": 32,
    "ef_construction": 200,
    "ef_search": 200,
    "num_threads": 1,
}


@dataclass(frozen=True)
class View:
    """One embedded text and the entry it stands for.

    Attributes:
        id: owner and number, such as "fact:lsd-activates-serotonin-receptors#3".
        owner: "fact:<id>" or "error:<id>".
        text: the phrasing as it is encoded.

    """

    id: str
    owner: str
    text: str


def views(vetted: Vetted) -> tuple[View, ...]:
    """Return every text a question is compared with: asks, titles and answers of facts, asks and claims of errors."""
    entries: tuple[Fact | KnownError, ...] = (*vetted.facts.values(), *vetted.known_errors.values())
    return tuple(view for entry in entries for view in views_of(entry, vetted.lexicon))


def views_of(entry: Fact | KnownError, lexicon: Lexicon) -> list[View]:
    """Return the views of one entry: its texts in two readings, in canonical words and as they were written.

    The first joins all names of a thing, the second keeps the words that a name was made of ("walked past the pub" is
    more than "exercise").
    """
    if isinstance(entry, Fact):
        owner, texts = f"fact:{entry.id}", (entry.question, entry.answer, *entry.asks)
    else:
        owner, texts = f"error:{entry.id}", (entry.claim, *entry.asks)
    readings = dict.fromkeys([*map(lexicon.canonical, texts), *map(plain, texts)])
    return [View(f"{owner}#{i}", owner, text) for i, text in enumerate(readings)]


@dataclass(frozen=True)
class Index:
    """An opened, verified index.

    Attributes:
        views: what is in it, in the order of `vectors`.
        vectors: shape (n, dim), float32, rows of length 1.
        store: the Chroma collection behind LangChain's vector-store interface.

    """

    views: tuple[View, ...]
    vectors: np.ndarray
    store: Chroma

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[str, float]]:
        """Return up to `k` (view id, cosine) pairs, nearest first.

        Raises:
            IndexUnavailableError: Chroma did not answer.

        """
        try:
            hits = self.store.similarity_search_by_vector_with_relevance_scores(vector.tolist(), k=k)
        except (ChromaError, OSError, ValueError) as error:
            raise IndexUnavailableError("the vector index does not answer: restart the app to rebuild it") from error
        return [(hit.id or "", 1.0 - distance) for hit, distance in hits]


def open_index(
    vetted: Vetted, encoder: Encoder, folder: Path, progress: Callable[[int, int], None] | None = None
) -> Index:
    """Return the index of `vetted`, building it first unless `folder` holds exactly that one.

    Args:
        vetted: what may be shown; only this is indexed.
        encoder: turns views into vectors; its fingerprint is part of the index's name.
        folder: where index folders live; it is created.
        progress: called with (views done, views in all) while building.

    Raises:
        IndexUnavailableError: there is nothing to index, or `folder` cannot be written or read.

    """
    wanted = views(vetted)
    if not wanted:
        raise IndexUnavailableError("no signed fact to index: run `knowledge check`, then `knowledge sign`")
    name = _name(wanted, encoder)
    try:
        for place in _complete(folder, name):
            try:
                store = _store(place, encoder)
                return Index(wanted, _verified_vectors(store, wanted), store)
            except (IndexUnavailableError, ChromaError, ValueError) as error:
                _log.warning("index_damaged", folder=place.name, error=str(error))
                shutil.rmtree(place, ignore_errors=True)
        return _build(wanted, name, encoder, folder, progress)
    except (OSError, ChromaError) as error:
        mend = "set INDEX_DIR to a folder this process can write"
        raise IndexUnavailableError(f"the index folder {folder} cannot be used ({error}): {mend}") from error


def _name(wanted: Sequence[View], encoder: Encoder) -> str:
    """Return a name that changes with anything that goes into the index."""
    content = [FORMAT, encoder.fingerprint, _HNSW, [[v.id, v.text] for v in wanted]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def _complete(folder: Path, name: str) -> list[Path]:
    """Return finished folders called `name`, newest first. The marker is written last, so a crash leaves none."""
    places = [p.parent for p in folder.glob(f"{name}-*/{_MARKER}")]
    return sorted(places, key=lambda p: p.stat().st_mtime, reverse=True)


def _build(
    wanted: tuple[View, ...],
    name: str,
    encoder: Encoder,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> Index:
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    try:
        store = _store(place, encoder)
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            store.add_texts([v.text for v in batch], ids=[v.id for v in batch])
            if progress:
                progress(start + len(batch), len(wanted))
        vectors = _verified_vectors(store, wanted)
        (place / _MARKER).touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    _prune(folder)
    return Index(wanted, vectors, store)


def _prune(folder: Path) -> None:
    """Remove all but the newest finished indexes, and unfinished ones that nobody can still be building."""
    finished = sorted(folder.glob(f"*/{_MARKER}"), key=lambda p: p.stat().st_mtime, reverse=True)
    stale = [marker.parent for marker in finished[_KEPT:]]
    oldest = time.time() - _ABANDONED_S
    unfinished = (p for p in folder.iterdir() if p.is_dir() and not (p / _MARKER).exists())
    stale += [place for place in unfinished if place.stat().st_mtime < oldest]
    for place in stale:
        shutil.rmtree(place, ignore_errors=True)


def _verified_vectors(store: Chroma, wanted: Sequence[View]) -> np.ndarray:
    """Return the stored vectors in the order of `wanted`; refuse a store that holds anything else."""
    held = store.get(include=["documents", "embeddings"])
    rows = {key: (text, i) for i, (key, text) in enumerate(zip(held["ids"], held["documents"], strict=True))}
    if {key: text for key, (text, _) in rows.items()} != {v.id: v.text for v in wanted}:
        raise IndexUnavailableError("the index does not match the signed facts: delete the index folder and restart")
    return np.asarray(held["embeddings"], dtype=np.float32)[[rows[v.id][1] for v in wanted]]


def _store(place: Path, encoder: Encoder) -> Chroma:
    return Chroma(
        client=PersistentClient(str(place), settings=ChromaSettings(anonymized_telemetry=False)),
        collection_name="views",
        embedding_function=encoder,
        collection_configuration={"hnsw": _HNSW},
    )
