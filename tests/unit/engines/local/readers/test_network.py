"""The network's arithmetic, against the same in its plain form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pointsman_server.engines.local.container import unpack
from pointsman_server.engines.local.readers.default import MAGIC, content_of
from pointsman_server.engines.local.readers.network import DILATION, GATE_FLOOR, Network, sizes

Arrays = dict[str, NDArray[np.float64]]

TEXTS = (
    "",
    "yes",
    "What is the capital of Portugal?",
    "Design a multi-region active-active ledger with exactly-once semantics. " * 3,
    "把这段话翻译成英文: 明天的会议改到下午三点",
    "def f(x):\n    return x\n\n" * 40,
)


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[Any]]:
    return dict(unpack(content_of(None), magic=MAGIC).arrays)


@pytest.mark.parametrize("text", TEXTS)
def test_logits_are_those_of_the_plain_form(arrays: dict[str, NDArray[Any]], text: str) -> None:
    network = Network(arrays)
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    plain = plain_logits(wide, network.pieces.encode(text) or [1], text)
    assert network.logits(text) == pytest.approx(plain, abs=1e-4)


def plain_logits(a: Arrays, rows: list[int], text: str) -> list[float]:
    x = a["table"][rows] * a["scale"][rows, None]
    y = np.maximum(neighbours(x, 1) @ a["first"] + a["first_bias"], 0.0)
    z = np.maximum(neighbours(y, DILATION) @ a["second"] + a["second_bias"], 0.0) + y
    gate = 1.0 / (1.0 + np.exp(-(z @ a["gate"] + a["gate_bias"])))
    share = np.exp(z @ a["attend"]) * gate
    attended = share @ z / share.sum()
    gated = z * gate[:, None]
    mean = gated.sum(axis=0) / (gate.sum() + GATE_FLOOR)
    pooled = np.concatenate((attended, mean, gated.max(axis=0), sizes(text)))
    hidden = np.maximum(pooled @ a["middle"] + a["middle_bias"], 0.0)
    found: list[float] = (hidden @ a["heads"] + a["heads_bias"]).tolist()
    return found


def neighbours(x: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    none = np.zeros((step, x.shape[1]))
    padded = np.concatenate((none, x, none))
    return np.hstack((padded[: len(x)], x, padded[2 * step :]))
