"""From a trained student to the default reader's artefact: int8 table, half-precision weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.container import Container

from training.effort.student import Student


def container(student: Student, *, vocabulary: Sequence[str], meta: Mapping[str, Any]) -> Container:
    """The artefact's content."""
    weights = {name: value.detach().numpy() for name, value in student.state_dict().items()}
    table, scale = quantised(student.table.whole())
    half = np.float16
    return Container(
        meta=meta,
        arrays={
            "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), np.uint8),
            "table": table,
            "scale": scale.astype(half),
            "first": weights["first.weight"].T.astype(half),
            "first_bias": weights["first.bias"].astype(half),
            "second": weights["second.weight"].T.astype(half),
            "second_bias": weights["second.bias"].astype(half),
            "attend": weights["attend.weight"][0].astype(half),
            "gate": weights["gate.weight"][0].astype(half),
            "gate_bias": weights["gate.bias"].astype(half),
            "middle": weights["middle.weight"].T.astype(np.float32),
            "middle_bias": weights["middle.bias"].astype(np.float32),
            "heads": weights["heads.weight"].T.astype(np.float32),
            "heads_bias": weights["heads.bias"].astype(np.float32),
        },
    )


def quantised(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """An int8 table and the scale of each row."""
    scale = np.maximum(np.abs(table).max(axis=1) / 127, 1e-4)
    scale = scale.astype(np.float16).astype(np.float32)
    return np.clip(np.round(table / scale[:, None]), -127, 127).astype(np.int8), scale
