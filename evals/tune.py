# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["torch==2.13.0", "vetted-answers"]
#
# [tool.uv.sources]
# vetted-answers = { path = ".." }
# ///
"""Development split and the base's phrasings → `knowledge/adapter.safetensors`, low-rank changes to the encoder.

Two lessons are learned at once. Phrasings of one entry should lie close together and those of other entries apart
(supervised contrastive loss, Khosla et al. 2020), and a crisis, a personal decision and a question outside the topic
should be told from everything else (logistic loss). Only low-rank changes are learned (LoRA, Hu et al. 2021), so the
official weights stay as they are and the product adds the changes to them when it loads.

The test split is never read, and neither is the part of the development split that is held back for the thresholds
(`evals.cases.held_back`). Torch is needed here and nowhere else: run `uv run --script evals/tune.py`, then `evals fit`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from rich.progress import track
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from evals.cases import held_back, load_cases
from knowledge.encoder import ADAPTER, adapted_names, weights_folder
from knowledge.schema import Fact, KnownError
from knowledge.signing import Vetted, vet
from knowledge.store import HOME, load
from knowledge.text import plain

RANK = 8
STEPS = 500
WARM_UP = 30
LEARNING_RATE = 2e-3
TEMPERATURE = 0.07
SCALE = 10.0  # of unit vectors before the logistic heads
MESSAGES_WEIGHT = 3.0
MAX_TOKENS = 48
HEADS = 12
NEIGHBOURHOODS, NEIGHBOURS, PHRASINGS = 2, 7, 4  # a batch: entries that are easily confused, a few phrasings of each
# Messages in a batch, by family; "asks" are the base's own phrasings.
SHARES = {
    "crisis": 16,
    "crisis_lookalikes": 14,
    "refer": 12,
    "refer_lookalikes": 10,
    "out_of_scope": 12,
    "asks": 6,
    "facts": 6,
    "errors": 4,
    "injection": 1,
    "small_talk": 1,
}
_OUTSIDE = ("out_of_scope", "injection", "small_talk")


class LowRank(nn.Module):
    """A frozen linear layer and its learned change: W + B·A."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.randn(RANK, columns) / math.sqrt(columns))
        self.b = nn.Parameter(torch.zeros(rows, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        return functional.linear(x, self.weight, self.bias) + (x @ self.a.T) @ self.b.T


class Student(nn.Module):
    """MiniLM with low-rank changes in every linear layer, and one logistic head per judgement."""

    def __init__(self) -> None:
        super().__init__()
        folder = weights_folder()
        self.frozen = {name: torch.from_numpy(w) for name, w in load_file(folder / "model.safetensors").items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()
        self.names = adapted_names()
        self.layers = nn.ModuleList(LowRank(self.frozen[f"{n}.weight"], self.frozen[f"{n}.bias"]) for n in self.names)
        self.heads = nn.Linear(384, 3)

    def forward(self, texts: Sequence[str], dropout: float) -> Tensor:
        """Texts → vectors of length 1: (n, 384)."""
        encodings = self.tokenizer.encode_batch(list(texts))
        ids = torch.tensor([e.ids for e in encodings])
        mask = torch.tensor([e.attention_mask for e in encodings], dtype=torch.float32)
        layer = dict(zip(self.names, self.layers, strict=True))
        n, t = ids.shape
        x = self.frozen["embeddings.word_embeddings.weight"][ids]
        x = x + self.frozen["embeddings.position_embeddings.weight"][:t]
        x = self._norm("embeddings.LayerNorm", x + self.frozen["embeddings.token_type_embeddings.weight"][0])
        seen = mask[:, None, None, :].bool()
        for i in range(6):
            at = f"encoder.layer.{i}"
            query, key, value = (
                layer[f"{at}.attention.self.{part}"](x).view(n, t, HEADS, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            context = layer[f"{at}.attention.output.dense"](context.transpose(1, 2).reshape(n, t, -1))
            x = self._norm(f"{at}.attention.output.LayerNorm", x + functional.dropout(context, dropout))
            inner = functional.gelu(layer[f"{at}.intermediate.dense"](x))
            outer = layer[f"{at}.output.dense"](inner)
            x = self._norm(f"{at}.output.LayerNorm", x + functional.dropout(outer, dropout))
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(mean, dim=1)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (384,), self.frozen[f"{name}.weight"], self.frozen[f"{name}.bias"], 1e-12)


@dataclass(frozen=True)
class Entries:
    """The base's phrasings in both readings.

    Attributes:
        canonical, plain: the phrasings, owner after owner.
        owner: number of each phrasing's entry, ascending.
        same: pairs of entries that say the same, and so are no examples of difference: (entries, entries), bool.

    """

    canonical: tuple[str, ...]
    plain: tuple[str, ...]
    owner: np.ndarray
    same: Tensor


def entries(vetted: Vetted) -> Entries:
    """Return every signed fact's and known error's phrasings."""
    owned: list[tuple[str, str]] = []
    signed: tuple[Fact | KnownError, ...] = (*vetted.facts.values(), *vetted.known_errors.values())
    for entry in signed:
        kind, first = ("fact", (entry.question, entry.answer)) if isinstance(entry, Fact) else ("error", (entry.claim,))
        owned += [(f"{kind}:{entry.id}", text) for text in (*first, *entry.asks)]
    number = {key: i for i, key in enumerate(dict.fromkeys(key for key, _ in owned))}
    same = torch.eye(len(number), dtype=torch.bool)
    pairs = {(f"error:{e.id}", f"fact:{f}") for e in vetted.known_errors.values() for f in e.facts}
    pairs |= {(f"error:{e}", f"fact:{f.id}") for f in vetted.facts.values() for e in f.corrects}
    for a, b in pairs:
        if a in number and b in number:
            same[number[a], number[b]] = same[number[b], number[a]] = True
    return Entries(
        tuple(vetted.lexicon.canonical(text) for _, text in owned),
        tuple(plain(text) for _, text in owned),
        np.array([number[key] for key, _ in owned]),
        same,
    )


def messages(found: Entries) -> dict[str, list[str]]:
    """Return family → messages of the development split that are not held back, and the base's own phrasings."""
    groups: dict[str, list[str]] = {"asks": list(found.plain)}
    for case in load_cases("dev"):
        if len(case.turns) == 1 and not held_back(case):
            groups.setdefault(case.family, []).append(plain(case.last.ask))
    return groups


def confusable(found: Entries, student: Student, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield batches of phrasings, for ever: a few neighbourhoods of entries that the encoder finds alike."""
    size = int(found.owner[-1]) + 1
    starts = np.searchsorted(found.owner, np.arange(size + 1))
    with torch.no_grad():
        firsts = [found.plain[i] for i in starts[:-1]]
        vectors = torch.cat([student(firsts[i : i + 64], 0.0) for i in range(0, size, 64)]).numpy()
    near = np.argsort(-(vectors @ vectors.T), axis=1)[:, : 2 * NEIGHBOURS]
    while True:
        chosen = dict.fromkeys(
            int(owner)
            for seed in rng.choice(size, NEIGHBOURHOODS, replace=False)
            for owner in rng.permutation(near[seed])[:NEIGHBOURS]
        )
        batch = []
        for owner in chosen:
            own = np.arange(starts[owner], starts[owner + 1])
            batch += rng.permutation(own)[:PHRASINGS].tolist()
        yield batch


def contrast(vectors: Tensor, owners: Tensor, same: Tensor) -> Tensor:
    """Return the supervised contrastive loss; entries that say the same are left out of it."""
    itself = torch.eye(len(owners), dtype=torch.bool)
    friends = (owners[:, None] == owners[None]) & ~itself
    ignored = (same[owners][:, owners] & ~friends) | itself
    scores = (vectors @ vectors.T / TEMPERATURE).masked_fill(ignored, -1e9)
    log_share = scores - torch.logsumexp(scores, 1, keepdim=True)
    return -((log_share * friends).sum(1) / friends.sum(1).clamp(min=1)).mean()


def _some(texts: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    return [texts[i] for i in rng.integers(len(texts), size=n)]


def tune() -> None:
    """Learn the adapter and write it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    base, _ = load(HOME)
    found = entries(vet(base, datetime.now(UTC).date()))
    groups = messages(found)
    judged = torch.tensor([[f == "crisis", f == "refer", f in _OUTSIDE] for f, n in SHARES.items() for _ in range(n)])
    student = Student()
    optimiser = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    batches = confusable(found, student, rng)
    for step in track(range(STEPS), "learning"):
        batch = next(batches)
        texts = [(found.canonical if rng.random() < 0.5 else found.plain)[i] for i in batch]
        loss = contrast(student(texts, 0.05), torch.tensor(found.owner[batch]), found.same)
        said = [text for family, n in SHARES.items() for text in _some(groups[family], n, rng)]
        by_length = np.argsort([len(text) for text in said])
        for half in np.array_split(by_length, 2):  # alike lengths together: less padding
            logits = student.heads(SCALE * student([said[i] for i in half], 0.1))
            loss = loss + MESSAGES_WEIGHT / 2 * functional.binary_cross_entropy_with_logits(
                logits, judged[half].float()
            )
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARM_UP) * max(0.05, 1 - step / STEPS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    changes = {}
    for name, layer in zip(student.names, student.layers, strict=True):
        changes[f"{name}.a"] = layer.a.detach().numpy().astype(np.float16)
        changes[f"{name}.b"] = layer.b.detach().numpy().astype(np.float16)
    save_file(changes, ADAPTER)


if __name__ == "__main__":
    tune()
