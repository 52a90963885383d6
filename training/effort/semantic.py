"""Build the semantic reader's files: ONNX model, vocabulary, calibration of the mixed logits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.readers import robustness
from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.pieces import Pieces
from pointsman_server.engines.local.readers.semantic import (
    FORMAT,
    HEADER,
    MODEL,
    VOCABULARY,
    SemanticReader,
)

from training.effort import student as students
from training.effort.calibrate import calibrate, mix_weights, shares_of
from training.effort.encoder import weights_folder
from training.effort.export import exported
from training.effort.guide import minilm
from training.effort.material import Material
from training.effort.rows import Row
from training.effort.scores import auc, expected, sigmoid, spearman
from training.effort.student import StudentRecipe
from training.effort.teaching import predict

Floats = NDArray[np.float32]

ASKED: Final = 0.5
"""Share of requests that `auto` asks the semantic reader about."""


def build(
    found: Material,
    *,
    folds: Sequence[int],
    work: Path,
    default: DefaultReader,
    student: StudentRecipe,
    meta: Mapping[str, Any],
    out: Path,
) -> None:
    """Write the files of the distribution into `out`."""
    from training.effort.train import EVERYTHING, figures, keep, version_of  # noqa: PLC0415
    from training.effort.train import student as trained  # noqa: PLC0415

    rows, own, other = [], [], []
    for fold in folds:
        held = found.held(fold)
        texts = [default.seen(row.text) for row in held]
        rows += held
        own.append(predict(minilm(found, fold, work=work), texts))
        small = trained(found, fold, recipe=student, work=work)
        other.append(students.predict(small, texts, pieces=Pieces(found.vocabulary)))
    encoder, plain = np.concatenate(own), np.concatenate(other)
    effort = np.array([row.effort for row in rows])
    share = max(
        (round(float(at), 2) for at in np.arange(0.4, 1.01, 0.1)),
        key=lambda at: spearman(expected(at * encoder + (1 - at) * plain), effort),
    )
    mixed = share * encoder + (1 - share) * plain
    keep(work / "held-semantic.npz", rows, mixed)
    calibration = calibrate(rows, mixed)
    first = dict(default.meta["calibration"])
    bound = unsure(shares_of(plain, first), mix_weights(rows))
    header = {
        "format": FORMAT,
        "share": share,
        "unsure": bound,
        "auto": cascaded((plain, first), (mixed, calibration), rows=rows, bound=bound),
        "calibration": calibration,
        "held_out": figures(rows, mixed, calibration),
        "held_out_folds": list(folds),
        **{name: meta[name] for name in ("data_sha256", "recipes", "packages", "python")},
    }
    model = minilm(found, EVERYTHING, work=work)
    content = exported(model, words=model.words.weight.detach().numpy())
    header["version"] = version_of(header, content)
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL).write_bytes(content)
    vocabulary = (weights_folder() / "vocab.txt").read_text(encoding="utf-8").rstrip("\n")
    (out / VOCABULARY).write_text(vocabulary, encoding="utf-8")
    (out / HEADER).write_text(json.dumps(header, indent=1, sort_keys=True) + "\n")
    robustness.check(SemanticReader.load(default, folder=out))
    print(json.dumps(header["held_out"], indent=1))


def unsure(shares: Floats, weights: Floats) -> float:
    """The confidence below which `ASKED` of the requests lie."""
    sure = shares.max(axis=1)
    order = np.argsort(sure)
    summed = np.cumsum(weights[order])
    return round(float(sure[order][np.searchsorted(summed, ASKED * summed[-1])]), 4)


Calibrated = tuple[Floats, dict[str, Any]]
"""Logits, and the calibration that belongs to them."""


def cascaded(
    first: Calibrated, second: Calibrated, *, rows: Sequence[Row], bound: float
) -> dict[str, float]:
    """Figures of the cascade beside those of both readers, on the real rows."""
    at = np.array([row.source != "written" for row in rows])
    effort = np.array([row.effort for row in rows])[at]
    ends = (effort <= 2) | (effort >= 4)
    small, large = _score(first)[at], _score(second)[at]
    asked = shares_of(*first).max(axis=1)[at] < bound
    columns = {"default": small, "auto": np.where(asked, large, small), "semantic": large}
    found = {"asked": float(asked.mean())}
    for name, score in columns.items():
        found[f"spearman_{name}"] = spearman(score, effort)
        found[f"auc_{name}"] = auc(score[ends], effort[ends] >= 4)
    return {name: round(value, 4) for name, value in found.items()}


def _score(reader: Calibrated) -> Floats:
    """Expected effort by the calibrated probabilities."""
    logits, calibration = reader
    pairs = enumerate(calibration["above"])
    total: Floats = np.sum([sigmoid(a * logits[:, k] + b) for k, (a, b) in pairs], axis=0)
    return total
