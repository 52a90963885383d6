"""The default reader in torch: a small convolutional network over the table of pieces.

It learns from labels and from a guide's logits on labelled, unlabelled and made requests.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.frames import plain
from pointsman_server.engines.local.readers.network import GATE_FLOOR, OUTPUTS, sizes
from pointsman_server.engines.local.readers.pieces import SPECIAL, Pieces
from torch import nn
from torch.nn import functional

from training.effort.changes import augment
from training.effort.teaching import batches, padded
from training.effort.vocabulary import principal_axes

Floats = NDArray[np.float32]

TABLE_SCALE: Final = 0.5
"""The deviation of the table's first values,"""
SPECIAL_SCALE: Final = 0.35
"""and of the rows that no piece of the encoder has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRecipe:
    """Settings of distillation."""

    width: int = 64
    channels: int = 128
    hidden: int = 128
    dilation: int = 2
    epochs: int = 12
    batch: int = 64
    rate: float = 2e-3
    projection_rate: float = 2e-3
    piece_rate: float = 5e-4
    decay: float = 0.02
    drop_pieces: float = 0.1
    drop: float = 0.2
    augmented: float = 0.4
    gold: float = 0.3
    """Share of the loss that labels have; the guide has the rest."""
    seed: int = 0


class PieceTable(nn.Module):
    """A vector for each piece: a learnt projection of the encoder's, and a correction to it.

    A projection serves all pieces, so that what is learnt about words of one language moves those
    of the others with them.
    """

    def __init__(self, vectors: Floats, *, width: int) -> None:
        super().__init__()
        axes = TABLE_SCALE * principal_axes(vectors, width=width)
        self.register_buffer("vectors", torch.from_numpy(vectors), persistent=False)
        self.projection = nn.Parameter(torch.from_numpy(axes))
        self.correction = nn.Embedding(SPECIAL + len(vectors), width)
        nn.init.zeros_(self.correction.weight)
        draw = np.random.default_rng(0).normal(0, SPECIAL_SCALE, (SPECIAL, width))
        self.correction.weight.data[1:SPECIAL] = torch.from_numpy(draw[1:])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The vectors of pieces."""
        pieces, at = ids.unique(return_inverse=True)
        words = pieces >= SPECIAL
        known = self.vectors[(pieces - SPECIAL).clamp(min=0)] * words[:, None]
        return (known @ self.projection + self.correction(pieces))[at]

    def whole(self) -> Floats:
        """The vectors of all pieces."""
        with torch.inference_mode():
            found: Floats = self(torch.arange(len(self.correction.weight))).numpy()
        return found


class Student(nn.Module):
    """Table, two convolutions, three gated poolings, one hidden layer."""

    def __init__(self, vectors: Floats, recipe: StudentRecipe) -> None:
        super().__init__()
        width, channels = recipe.width, recipe.channels
        self.recipe = recipe
        self.table = PieceTable(vectors, width=width)
        self.first = nn.Linear(3 * width, channels)
        self.second = nn.Linear(3 * channels, channels)
        self.attend = nn.Linear(channels, 1)
        self.gate = nn.Linear(channels, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, 3.0)
        self.middle = nn.Linear(3 * channels + 3, recipe.hidden)
        self.heads = nn.Linear(recipe.hidden, OUTPUTS)

    def forward(self, ids: torch.Tensor, extra: torch.Tensor) -> torch.Tensor:
        """Logits of rows of pieces; 0 is padding."""
        seen = ids != 0
        if self.training:
            dropped = torch.rand(ids.shape) < self.recipe.drop_pieces
            ids = torch.where(dropped & seen, 0, ids)
        mask = seen[..., None].float()
        x = self.table(ids) * (ids != 0)[..., None]
        x = functional.relu(self.first(_window(x, 1))) * mask
        x = (x + functional.relu(self.second(_window(x, self.recipe.dilation)))) * mask
        closed = self.gate(x)
        share = self.attend(x) + functional.logsigmoid(closed)
        share = share.masked_fill(~seen[..., None], -1e4).softmax(1)
        gate = closed.sigmoid() * mask
        gated = x * gate
        pooled = torch.cat(
            [
                (x * share).sum(1),
                gated.sum(1) / (gate.sum(1) + GATE_FLOOR),
                gated.amax(1),
                extra,
            ],
            -1,
        )
        drop = self.recipe.drop
        pooled = functional.dropout(pooled, drop, self.training)
        hidden = functional.dropout(functional.relu(self.middle(pooled)), drop, self.training)
        return self.heads(hidden)


def _window(x: torch.Tensor, step: int) -> torch.Tensor:
    """Each row beside those `step` before and after it; zeros beyond the ends."""
    wide = functional.pad(x, (0, 0, step, step))
    length = x.shape[1]
    return torch.cat([wide[:, :length], x, wide[:, 2 * step : 2 * step + length]], -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """The material of a student: texts, labels where there are any, and a guide's logits."""

    texts: Sequence[str]
    effort: NDArray[np.int64]
    """1-5; 0: no label."""
    domain: NDArray[np.int64]
    needs_info: NDArray[np.float32]
    turn: NDArray[np.float32]
    weight: NDArray[np.float32]
    guide: Floats
    """Logits, texts x `OUTPUTS`."""


def train_student(
    lesson: Lesson,
    *,
    vectors: Floats,
    pieces: Pieces,
    recipe: StudentRecipe,
) -> Student:
    """Fit a student."""
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    model = Student(vectors, recipe)
    table = model.table
    rest = [p for name, p in model.named_parameters() if not name.startswith("table")]
    optimizer = torch.optim.AdamW(
        [
            {"params": rest, "lr": recipe.rate, "weight_decay": recipe.decay},
            {"params": [table.projection], "lr": recipe.projection_rate, "weight_decay": 0.0},
            {"params": [table.correction.weight], "lr": recipe.piece_rate, "weight_decay": 0.0},
        ],
        fused=True,
    )
    per_epoch = len(lesson.texts) // recipe.batch + 1
    steps = recipe.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: min((at + 1) / (0.05 * steps), max(0.01, 1 - at / steps))
    )
    began = time.monotonic()
    texts = [plain(text) for text in lesson.texts]
    encoded = [pieces.encode(text) or [1] for text in texts]
    measures = [sizes(text) for text in texts]
    for epoch in range(recipe.epochs):
        total = 0.0
        ids, extra = list(encoded), list(measures)
        for one in range(len(ids)):
            if draw.random() < recipe.augmented:
                changed = plain(augment(lesson.texts[one], draw=draw))
                ids[one], extra[one] = pieces.encode(changed) or [1], sizes(changed)
        for at in batches([len(i) for i in ids], size=recipe.batch, draw=draw):
            logits = model(padded([ids[i] for i in at]), torch.tensor([extra[i] for i in at]))
            found = _loss(logits, lesson, at, gold=recipe.gold)
            optimizer.zero_grad(set_to_none=True)
            found.backward()
            nn.utils.clip_grad_norm_(rest, 1.0)
            optimizer.step()
            schedule.step()
            total += found.item()
        print(
            f"  epoch {epoch} {total / per_epoch:.4f} {time.monotonic() - began:.0f}s", flush=True
        )
    return model.eval()


def _loss(logits: torch.Tensor, lesson: Lesson, at: list[int], *, gold: float) -> torch.Tensor:
    bce = functional.binary_cross_entropy_with_logits
    effort = torch.from_numpy(lesson.effort[at])
    labelled = (effort > 0).float()
    above = (effort[:, None] > torch.arange(1, 5)[None, :]).float()
    domain = torch.from_numpy(lesson.domain[at])
    own = bce(logits[:, :4], above, reduction="none").sum(1)
    own = own + functional.cross_entropy(logits[:, 4:9], domain, reduction="none")
    own = own + bce(logits[:, 9], torch.from_numpy(lesson.needs_info[at]), reduction="none")
    own = own + bce(logits[:, 10], torch.from_numpy(lesson.turn[at]), reduction="none")
    weight = torch.from_numpy(lesson.weight[at])
    said = torch.from_numpy(lesson.guide[at])
    taught = bce(logits[:, :4], said[:, :4].sigmoid(), reduction="none").sum(1)
    taught = taught + functional.cross_entropy(
        logits[:, 4:9], said[:, 4:9].softmax(-1), reduction="none"
    )
    taught = taught + bce(logits[:, 9:], said[:, 9:].sigmoid(), reduction="none").sum(1)
    share = gold * labelled
    return ((own * share + taught * (1 - share)) * weight).sum() / weight.sum()


def predict(model: Student, texts: Sequence[str], *, pieces: Pieces) -> Floats:
    """Logits of texts."""
    texts = [plain(text) for text in texts]
    ids = [pieces.encode(text) or [1] for text in texts]
    order = sorted(range(len(texts)), key=lambda at: len(ids[at]))
    found = np.zeros((len(texts), OUTPUTS), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), 256):
            at = order[start : start + 256]
            extra = torch.tensor([sizes(texts[i]) for i in at])
            found[at] = model(padded([ids[i] for i in at]), extra).numpy()
    return found
