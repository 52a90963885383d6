"""Fine-tuning of a pretrained encoder on all labels at once, and its logits.

The teachers of the default reader are trained by this; the semantic reader is one of them.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.frames import plain
from pointsman_server.engines.local.readers.network import OUTPUTS, sizes
from torch import nn
from torch.nn import functional

from training.effort.changes import augment
from training.effort.rows import SETS, Row
from training.effort.scores import DOMAINS

Floats = NDArray[np.float32]

BOILERPLATE: Final = (
    "swebench_science", "k8s_keps", "go_proposals", "tikv_rfcs", "eips", "swift_evolution",
    "library_checker",
)  # fmt: skip
"""Sources whose format gives their effort away; their rows weigh half, as do written sets."""


class Encoder(Protocol):
    """A torch module that is fine-tuned, with its pieces."""

    def __call__(self, ids: torch.Tensor, extra: torch.Tensor) -> torch.Tensor:
        """Logits, batch x `OUTPUTS`, of rows of pieces (0 is padding) and the text's sizes."""
        ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The pieces of each text."""
        ...

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters that start from nothing, and learn faster."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """All parameters."""
        ...

    def train(self, mode: bool = True) -> object:
        """Switch dropout on."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The wanted outputs of a batch."""

    above: torch.Tensor
    domain: torch.Tensor
    needs_info: torch.Tensor
    turn: torch.Tensor
    weight: torch.Tensor


def targets(rows: Sequence[Row], weight: Sequence[float]) -> Targets:
    """The labels of rows as tensors."""
    effort = torch.tensor([row.effort for row in rows])
    return Targets(
        above=(effort[:, None] > torch.arange(1, 5)[None, :]).float(),
        domain=torch.tensor([DOMAINS.index(row.domain) for row in rows]),
        needs_info=torch.tensor([float(row.needs_info) for row in rows]),
        turn=torch.tensor([float(row.turn) for row in rows]),
        weight=torch.tensor(weight),
    )


def loss(logits: torch.Tensor, wanted: Targets) -> torch.Tensor:
    """The weighted sum of all heads' losses."""
    bce = functional.binary_cross_entropy_with_logits
    each = bce(logits[:, :4], wanted.above, reduction="none").sum(1)
    each = each + functional.cross_entropy(logits[:, 4:9], wanted.domain, reduction="none")
    each = each + bce(logits[:, 9], wanted.needs_info, reduction="none")
    each = each + bce(logits[:, 10], wanted.turn, reduction="none")
    return (each * wanted.weight).sum() / wanted.weight.sum()


def row_weights(rows: Sequence[Row]) -> list[float]:
    """The weight of each row."""
    return [0.5 if row.source in BOILERPLATE or row.group == SETS else 1.0 for row in rows]


def batches(
    lengths: Sequence[int], *, size: int, draw: random.Random, pool: int = 24
) -> Iterator[list[int]]:
    """Shuffled batches of rows of about one length."""
    order = list(range(len(lengths)))
    draw.shuffle(order)
    groups = []
    for start in range(0, len(order), size * pool):
        chunk = sorted(order[start : start + size * pool], key=lambda at: lengths[at])
        groups += [chunk[at : at + size] for at in range(0, len(chunk), size)]
    draw.shuffle(groups)
    yield from groups


def padded(ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """One array of token ids; 0 is padding. Few lengths: kernels are built for each."""
    longest = -(-max(map(len, ids)) // 16) * 16
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherRecipe:
    """Settings of fine-tuning."""

    epochs: float
    rate: float
    head_rate: float = 1e-3
    batch: int = 48
    augmented: float = 0.2
    decay: float = 0.01
    seed: int = 0


def fine_tune(model: Encoder, rows: Sequence[Row], *, recipe: TeacherRecipe) -> None:
    """Fine-tune on `rows`."""
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    heads = model.head_parameters()
    known = {id(parameter) for parameter in heads}
    body = [p for p in model.parameters() if id(p) not in known and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": recipe.rate}, {"params": heads, "lr": recipe.head_rate}],
        weight_decay=recipe.decay,
        fused=True,
    )
    steps = int(recipe.epochs * len(rows) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda at: min((at + 1) / (0.08 * steps), max(0.02, (steps - at) / (0.92 * steps))),
    )
    weights = row_weights(rows)
    texts = [plain(row.text) for row in rows]
    encoded = model.encode(texts)
    model.train()
    start, done = time.monotonic(), 0
    for epoch in range(math.ceil(recipe.epochs)):
        ids, seen = _changed(model, encoded, texts, draw=draw, share=recipe.augmented)
        for at in batches([len(i) for i in ids], size=recipe.batch, draw=draw):
            if done >= steps:
                break
            wanted = targets([rows[i] for i in at], [weights[i] for i in at])
            logits = model(padded([ids[i] for i in at]), torch.tensor([seen[i] for i in at]))
            found = loss(logits, wanted)
            optimizer.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_([*body, *heads], 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if done % 50 == 0:
                passed = time.monotonic() - start
                print(
                    f"epoch {epoch} step {done}/{steps} loss {found.item():.3f} {passed:.0f}s",
                    flush=True,
                )
    model.eval()


def _changed(
    model: Encoder,
    encoded: Sequence[list[int]],
    texts: Sequence[str],
    *,
    draw: random.Random,
    share: float,
) -> tuple[list[list[int]], list[list[float]]]:
    """Pieces and sizes of the texts, a share of which is changed harmlessly."""
    now = list(texts)
    changed = [at for at in range(len(texts)) if draw.random() < share]
    for at in changed:
        now[at] = plain(augment(texts[at], draw=draw))
    ids = list(encoded)
    for at, found in zip(changed, model.encode([now[at] for at in changed]), strict=True):
        ids[at] = found
    return ids, [sizes(text) for text in now]


def predict(model: Encoder, texts: Sequence[str], *, size: int = 64) -> Floats:
    """Logits of texts, texts x `OUTPUTS`."""
    texts = [plain(text) for text in texts]
    ids = model.encode(texts)
    order = sorted(range(len(texts)), key=lambda at: len(ids[at]))
    found = np.zeros((len(texts), OUTPUTS), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), size):
            at = order[start : start + size]
            measures = torch.tensor([sizes(texts[i]) for i in at])
            found[at] = model(padded([ids[i] for i in at]), measures).numpy()
    return found
