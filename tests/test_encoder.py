"""The encoder, against vectors of the reference implementation."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from knowledge.encoder import DIM, MiniLM, adapted_names, weights_folder
from knowledge.errors import EncoderError
from tests import fakes

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_vectors.json").read_text(encoding="utf-8"))
TEXTS = [row["text"] for row in REFERENCE]


@pytest.fixture(scope="module")
def published() -> MiniLM:
    """The model as it was published, without the adapter."""
    return MiniLM(adapter=None)


def test_vectors_are_those_of_the_reference(published: MiniLM) -> None:
    """Every text lies where sentence-transformers puts it: cosine 0.9999 or above."""
    reference = np.array([row["vector"] for row in REFERENCE])
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    cosines = (published.encode(TEXTS) * reference).sum(axis=1)
    assert cosines.min() >= 0.9999


def test_order_and_shape_are_kept(encoder: MiniLM) -> None:
    """Rows come back in the order of the texts, whatever their lengths, in float32 and of length 1."""
    texts = ["a much longer text about dopamine and the brain " * 4, "lsd", "", "what is serotonin"] * 20
    rows = encoder.encode(texts)
    assert (rows.shape, rows.dtype) == ((80, DIM), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(rows[:4], rows[-4:], atol=1e-5)


def test_padding_does_not_change_a_vector(encoder: MiniLM) -> None:
    """Alone or beside a long text, a question has one vector."""
    alone = encoder.encode(["lsd"])[0]
    beside = encoder.encode(["lsd", "serotonin and dopamine " * 60])[0]
    assert np.abs(alone - beside).max() < 1e-5


def test_tokens_after_the_limit_do_not_count(encoder: MiniLM) -> None:
    """A long text is cut, not refused."""
    long = "word " * 300
    assert np.allclose(*encoder.encode([long, long + "cocaine"]), atol=1e-5)


def test_nothing_in_nothing_out(encoder: MiniLM) -> None:
    """No texts, no rows."""
    assert encoder.encode([]).shape == (0, DIM)


def test_langchain_sees_the_same_vectors(encoder: MiniLM) -> None:
    """The two methods of LangChain's interface give what `encode` gives."""
    assert np.allclose(encoder.embed_query("lsd"), encoder.encode(["lsd"])[0])
    assert np.allclose(encoder.embed_documents(["lsd", "mdma"]), encoder.encode(["lsd", "mdma"]))


def test_the_adapter_moves_vectors_and_names_itself(encoder: MiniLM, published: MiniLM) -> None:
    """An index or a fitted file made without the adapter can't be taken for one made with it."""
    assert encoder.fingerprint.startswith(published.fingerprint + ":adapter-")
    assert (encoder.encode(TEXTS) * published.encode(TEXTS)).sum(axis=1).max() < 0.99


def test_an_adapter_without_changes_changes_nothing(published: MiniLM, tmp_path: Path) -> None:
    """W + B·A with B = 0 is W."""
    changes = {}
    for name, weight in load_file(weights_folder() / "model.safetensors").items():
        if name.removesuffix(".weight") in adapted_names():
            rows, columns = weight.shape
            changes[name.removesuffix("weight") + "a"] = np.ones((2, columns), np.float16)
            changes[name.removesuffix("weight") + "b"] = np.zeros((rows, 2), np.float16)
    save_file(changes, tmp_path / "none.safetensors")
    assert np.allclose(MiniLM(adapter=tmp_path / "none.safetensors").encode(TEXTS), published.encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"not a file of tensors", None])
def test_a_broken_adapter_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """No adapter, half an adapter or anything else under its name is an error that says what to do."""
    adapter = tmp_path / "adapter.safetensors"
    if content is not None:
        adapter.write_bytes(content)
    with pytest.raises(EncoderError, match="restore it"):
        MiniLM(adapter=adapter)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """One changed byte, or no file at all, is an error that says what to do."""
    with pytest.raises(EncoderError, match="reinstall"):
        MiniLM(tmp_path)
    weights = bytearray((weights_folder() / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(EncoderError, match="not the official file"):
        MiniLM(tmp_path)


def test_the_fake_keeps_the_same_contract() -> None:
    """Rows of length 1 in order, the same for the same text, near for texts that share words."""
    one, two, far, empty = fakes.HashEncoder().encode(["how does lsd work", "how does LSD work?", "paris", ""])
    assert np.allclose(one, two)
    assert one @ far < 0.1
    assert np.isclose(np.linalg.norm(empty), 1)
