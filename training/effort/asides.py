"""The network that tells asides from sentences of a task, over a student's table of pieces."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.asides import features, lines, sentences
from pointsman_server.engines.local.readers.pieces import NEWLINE, Pieces
from torch import nn
from torch.nn import functional

from training.effort.aside_evidence import EvidenceRecipe, evidence
from training.effort.changes import aside

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideRecipe:
    """Settings."""

    hidden: int = 32
    made: int = 20_000
    kept: int = 40_000
    """The most sentences of real requests."""
    steps: int = 2_500
    mistaken: float = 0.02
    """Share of real edge sentences that may be taken for asides."""
    seed: int = 0


def _bare(text: str) -> str:
    return text.strip(" .,:;!?()\n").lower()


def train_asides(
    texts: Sequence[str],
    *,
    pieces: Pieces,
    table: NDArray[np.int8],
    scale: Floats,
    recipe: AsideRecipe,
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """The arrays of asides, and the thresholds for the header."""
    draw = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    real = [
        text[a:b]
        for text in texts
        for parts in (sentences(text), lines(text))
        if len(parts) > 1
        for a, b in {parts[0], parts[-1], draw.choice(parts)}
    ]
    made = [aside(draw) for _ in range(recipe.made)]
    # A greeting in a real request is an aside too.
    known = {_bare(text) for text in made}
    real = [text for text in real if _bare(text) not in known]
    real = draw.sample(real, min(recipe.kept, len(real)))
    rows = [pieces.encode(text) or [NEWLINE] for text in [*real, *made]]
    x = np.stack([features(each, table=table, scale=scale[:, None]) for each in rows])
    inputs = torch.from_numpy(x)
    target = torch.cat([torch.zeros(len(real)), torch.ones(len(made))])
    middle, head = nn.Linear(x.shape[1], recipe.hidden), nn.Linear(recipe.hidden, 1)
    parts = [*middle.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parts, lr=3e-3, weight_decay=0.05)
    for _ in range(recipe.steps):
        at = torch.randint(0, len(target), (512,))
        logits = head(functional.dropout(functional.relu(middle(inputs[at])), 0.2))[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, target[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        logits = head(functional.relu(middle(inputs)))[:, 0].numpy()
    threshold = round(float(np.quantile(logits[: len(real)], 1 - recipe.mistaken)), 4)
    found, least = evidence(
        rows,
        asides=logits > threshold,
        made=np.arange(len(rows)) >= len(real),
        table=table * scale[:, None],
        recipe=EvidenceRecipe(),
    )
    arrays = {
        "aside_middle": middle.weight.detach().numpy().T.copy(),
        "aside_middle_bias": middle.bias.detach().numpy(),
        "aside_head": np.concatenate([head.weight.detach().numpy()[0], head.bias.detach().numpy()]),
        "aside_evidence": found,
    }
    return arrays, {"aside_threshold": threshold, "aside_least_evidence": least}
