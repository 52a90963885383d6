"""How much each piece speaks for an aside: the quick look that spares most sentences the network.

The evidence of a piece is a projection of its vector, so that it holds for words of other
languages, and a correction to it. The network's verdicts are the targets.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecipe:
    """Settings."""

    epochs: int = 6
    batch: int = 512
    rate: float = 0.02
    weight: float = 5.0
    """Of an aside: a missed one costs a wrong estimate, a false one a few microseconds."""
    decay: float = 1e-5
    missed: float = 0.005
    """Share of the asides, real and made ones each, that may lack the least evidence,"""
    held: int = 4
    """measured on one of so many sentences, which are not learnt from."""
    seed: int = 0


class _Evidence(nn.Module):
    def __init__(self, table: Floats) -> None:
        super().__init__()
        self.register_buffer("table", torch.from_numpy(table))
        self.projection = nn.Parameter(torch.zeros(table.shape[1]))
        self.correction = nn.Parameter(torch.zeros(len(table)))
        self.bias = nn.Parameter(torch.zeros(()))

    def pieces(self) -> torch.Tensor:
        """The evidence of each piece."""
        return self.table @ self.projection + self.correction + self.bias

    def forward(self, sentences: Sequence[Sequence[int]]) -> torch.Tensor:
        """The mean evidence of each sentence."""
        flat = torch.tensor([row for rows in sentences for row in rows])
        starts = torch.tensor([0, *map(len, sentences[:-1])]).cumsum(0)
        found = functional.embedding_bag(flat, self.pieces()[:, None], starts, mode="mean")
        return found[:, 0]


def evidence(
    sentences: Sequence[Sequence[int]],
    *,
    asides: Bools,
    made: Bools,
    table: Floats,
    recipe: EvidenceRecipe,
) -> tuple[NDArray[np.float16], float]:
    """The evidence of each piece, and the least mean of it that a sentence needs.

    `asides` are the network's verdicts on `sentences`, both real ones and some that were `made`.
    """
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    model = _Evidence(table)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    target = torch.from_numpy(asides.astype(np.float32))
    order = list(range(len(sentences)))
    draw.shuffle(order)
    size = len(order) // recipe.held
    held, order = np.array(order[:size]), order[size:]
    for _ in range(recipe.epochs):
        draw.shuffle(order)
        for start in range(0, len(order), recipe.batch):
            at = order[start : start + recipe.batch]
            wanted = target[at]
            loss = functional.binary_cross_entropy_with_logits(
                model([sentences[one] for one in at]),
                wanted,
                weight=1.0 + (recipe.weight - 1.0) * wanted,
            )
            loss = loss + recipe.decay * model.correction.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.inference_mode():
        found = model.pieces().numpy().astype(np.float16)
    means = np.array([found[list(sentences[at])].astype(np.float64).mean() for at in held])
    kinds = [means[asides[held] & kind[held]] for kind in (made, ~made)]
    least = min(float(np.quantile(kind, recipe.missed)) for kind in kinds)
    return found, round(least - _ROUNDING, 3)


_ROUNDING = 0.005
"""Below the quantile, so that no rounding raises the bound above it."""
