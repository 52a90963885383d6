"""Fine-tuning: split, fit, recalibrate, compare with the reader it started from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.errors import TooFewLines
from pointsman_server.engines.local.container import Container
from pointsman_server.engines.local.readers import robustness
from pointsman_server.engines.local.readers.calibration import Calibration
from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import RequestEstimate
from pointsman_server.engines.local.tuning.heads import (
    FitSettings,
    Heads,
    Targets,
    fit,
    targets,
    truth,
)
from pointsman_server.engines.local.tuning.lines import LabelledRequest

Floats = NDArray[np.float32]

FEWEST: Final = 60
"""Lines with different requests; with fewer there is nothing to measure on."""

HELD_OUT: Final = 4
"""One line in so many is held out to measure on."""

_MEASURED: Final = ("held_out", "held_out_folds")
"""Keys of the header with figures of the shipped reader."""

_PRIOR: Final = 40.0
"""Lines that the calibration before counts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of a reader on held-out lines."""

    lines: int
    spearman: float
    """With effort, or with difficulty where efforts are not known."""
    hard_from_easy: float
    """Area under the curve; nan: one of both is missing."""
    accuracy: float
    """Of the difficulty label."""
    calibration_error: float
    domain_accuracy: float
    """Nan: no domains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """A reader's new artefact, and the same table before and after."""

    container: Container
    before: Table
    after: Table
    again: bool
    """Whether the reader before was fine-tuned too, perhaps on the lines held out now."""


def tune(start: Container, requests: Sequence[LabelledRequest], *, seed: int = 0) -> Tuned:
    """Fine-tune the heads of `start`.

    The table is measured on lines that were held out; the artefact is then fitted to all lines.
    Raises `TooFewLines`, and `ArtefactInvalid` where the new reader is not robust.
    """
    if len(requests) < FEWEST:
        raise TooFewLines(f"{len(requests)} labelled lines: {FEWEST} is the fewest")
    if len({request.difficulty for request in requests}) == 1:
        raise TooFewLines("all lines have one difficulty: there is nothing to learn from")
    if (different := len({request.prompt.strip() for request in requests})) < FEWEST:
        raise TooFewLines(
            f"{different} different requests in {len(requests)} lines: {FEWEST} is the fewest"
        )
    reader = DefaultReader(start)
    texts = [reader.seen(request.prompt) for request in requests]
    pooled = np.stack([reader.network.pooled(text) for text in texts])
    wanted = targets(requests)
    held = np.array([_is_held_out(text) for text in texts])
    kept, out = np.flatnonzero(~held), np.flatnonzero(held)
    if not len(kept) or not len(out):
        raise TooFewLines("nearly all lines read alike: there is nothing to measure on")
    trial = _fitted(start, pooled[kept], wanted.take(kept), seed=seed)
    final = _described(_fitted(start, pooled, wanted, seed=seed), requests, start=start)
    robustness.check(DefaultReader(final))
    some = [requests[at] for at in out.tolist()]
    return Tuned(
        container=final,
        before=measured(start, pooled[out], some),
        after=measured(trial, pooled[out], some),
        again="tuned_from" in start.meta,
    )


def _is_held_out(text: str) -> bool:
    """By a hash of the text, so that repeated requests stay on one side."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % HELD_OUT == 0


def _described(
    fitted: Container, requests: Sequence[LabelledRequest], *, start: Container
) -> Container:
    """Put the origin into the header, and leave out the figures of the reader before."""
    meta = {name: value for name, value in fitted.meta.items() if name not in _MEASURED}
    labelled = [(r.prompt, r.effort, r.difficulty, r.domain) for r in requests]
    origin = {
        "tuned_from": start.meta["version"],
        "tuned_lines": len(requests),
        "tuned_sha256": hashlib.sha256(json.dumps(labelled).encode()).hexdigest(),
    }
    return replace(fitted, meta=meta | origin)


def heads_of(container: Container) -> Heads:
    """The heads of an artefact."""
    names = ("middle", "middle_bias", "heads", "heads_bias")
    parts = {name: container.arrays[name].astype(np.float32) for name in names}
    return Heads(**parts)


def _fitted(start: Container, pooled: Floats, wanted: Targets, *, seed: int) -> Container:
    origin = heads_of(start)
    found = fit(origin, pooled, wanted, settings=FitSettings(), seed=seed)
    calibration = _recalibrated(start, pooled, wanted, seed=seed)
    arrays = dict(start.arrays) | {
        name: getattr(found, name) for name in ("middle", "middle_bias", "heads", "heads_bias")
    }
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays)))
    meta = dict(start.meta) | {
        "calibration": calibration,
        "version": digest.hexdigest()[:12],
    }
    return replace(start, meta=meta, arrays=arrays)


def _recalibrated(
    start: Container, pooled: Floats, wanted: Targets, *, seed: int
) -> Mapping[str, Any]:
    """The calibration refitted to logits of heads that did not see the lines (two halves)."""
    origin, calibration = heads_of(start), dict(start.meta["calibration"])
    half = np.random.default_rng(seed).permutation(len(pooled)) % 2
    logits = np.zeros((len(pooled), origin.heads.shape[1]), np.float32)
    for side in (0, 1):
        kept, rest = np.flatnonzero(half != side), np.flatnonzero(half == side)
        found = fit(origin, pooled[kept], wanted.take(kept), settings=FitSettings(), seed=seed)
        logits[rest] = found.logits(pooled[rest])
    calibration["above"] = [
        _platt(logits[:, level], wanted.above[:, level], before=tuple(pair))
        for level, pair in enumerate(calibration["above"])
    ]
    return calibration


def _platt(logits: Floats, target: Floats, *, before: tuple[float, float]) -> tuple[float, float]:
    """Slope and intercept by Newton's method, held to those that were there."""
    known = target >= 0.0
    x, y = logits[known].astype(np.float64), target[known].astype(np.float64)
    home = np.array(before)
    at = home.copy()
    design = np.stack([x, np.ones_like(x)], axis=1)
    hold = np.diag([_PRIOR, _PRIOR / 4])
    for _ in range(25):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ at, -30, 30)))
        slope = design.T @ (p - y) + hold @ (at - home)
        bend = (design * (p * (1 - p))[:, None]).T @ design + hold
        at -= np.linalg.solve(bend, slope)
    return round(max(float(at[0]), 0.05), 4), round(float(at[1]), 4)


def measured(container: Container, pooled: Floats, requests: Sequence[LabelledRequest]) -> Table:
    """The table of a reader on requests."""
    calibration = Calibration.of(container.meta["calibration"])
    found = [calibration.estimate(row) for row in heads_of(container).logits(pooled).tolist()]
    right = np.array([e.difficulty == r.difficulty for e, r in zip(found, requests, strict=True)])
    sure = np.array([e.difficulty_confidence for e in found])
    score = np.array([e.expected_effort for e in found])
    levels = truth(requests)
    known = np.array([float("nan") if r.effort is None else r.effort for r in requests])
    rank = levels.astype(float) if np.isnan(known).any() else known
    ends = levels != 1
    return Table(
        lines=len(requests),
        spearman=_correlation(_ranks(score), _ranks(rank)),
        hard_from_easy=_auc(score[ends], levels[ends] > 1),
        accuracy=float(right.mean()) if len(right) else float("nan"),
        calibration_error=_calibration_error(sure, right),
        domain_accuracy=_domain_accuracy(found, requests),
    )


def _domain_accuracy(
    found: Sequence[RequestEstimate], requests: Sequence[LabelledRequest]
) -> float:
    hits = [
        DOMAINS.index(e.domain) == DOMAINS.index(r.domain)
        for e, r in zip(found, requests, strict=True)
        if r.domain is not None
    ]
    return sum(hits) / len(hits) if hits else float("nan")


def _calibration_error(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    bins = np.clip((sure * 10).astype(int), 0, 9)
    gaps = [abs(float((sure - right)[bins == b].sum())) for b in range(10)]
    return sum(gaps) / max(len(sure), 1)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if len(a) < 2 or a.std() == 0.0 or b.std() == 0.0:  # noqa: PLR2004
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _auc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    many = int(positive.sum())
    rest = len(positive) - many
    if not many or not rest:
        return float("nan")
    return float((_ranks(score)[positive].sum() - many * (many + 1) / 2) / (many * rest))
