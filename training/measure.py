"""Measures and their uncertainty: APGR, AIQ, calibration, bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

THRESHOLDS = 10
"""Quantile thresholds of RouteLLM's protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCurve:
    """Routing between two models.

    CPT: per cent of calls to the strong one that are needed for that share of the quality gap.
    """

    apgr: float
    cpt50: float
    cpt80: float
    share: list[float]
    quality: list[float]


def pair_curve(score: Floats, *, weak: Floats, strong: Floats) -> PairCurve:
    """RouteLLM's protocol: the higher `score`, the sooner the strong model is called."""
    order = np.asarray(score, float) + np.random.default_rng(0).normal(0, 1e-9, len(score))
    points = []
    for at, bound in enumerate(np.quantile(order, np.linspace(0, 1, THRESHOLDS + 1))):
        calls = order >= bound if at < THRESHOLDS else order > bound
        points.append((float(calls.mean()), float(np.where(calls, strong, weak).mean())))
    points.sort()
    x = np.array([share for share, _ in points])
    y = np.array([quality for _, quality in points])
    low, high = float(weak.mean()), float(strong.mean())
    area = np.trapezoid(y - low, x) / ((high - low) * (x[-1] - x[0]))
    return PairCurve(
        apgr=float(area),
        cpt50=100 * float(np.interp(low + 0.5 * (high - low), y, x)),
        cpt80=100 * float(np.interp(low + 0.8 * (high - low), y, x)),
        share=x.tolist(),
        quality=y.tolist(),
    )


def apgr(score: Floats, *, weak: Floats, strong: Floats) -> float:
    """The area under the performance-gap-recovered curve; random is 0.5."""
    return pair_curve(score, weak=weak, strong=strong).apgr


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCurve:
    """Routing among many models: AIQ, and where the curve passes the best single model."""

    aiq: float
    max_quality: float
    best_single: float
    cost_at_best: float | None
    """Relative to always the best single model; `None`: its quality is not reached."""
    cost: list[float]
    quality: list[float]


def pool_curve(
    predicted: Floats, expected_cost: Floats, *, quality: Floats, cost: Floats
) -> PoolCurve:
    """RouterBench's AIQ: the area under the convex hull of quality over cost.

    The choice is argmax(predicted - lambda * expected_cost); the area runs from the cheapest to
    the dearest single model.
    """
    rows = np.arange(len(quality))
    costs, qualities = [], []
    for price in np.concatenate([[0.0], np.geomspace(1e-1, 1e6, 160), [1e12]]):
        pick = np.argmax(predicted - price * expected_cost, axis=1)
        costs.append(float(cost[rows, pick].mean()))
        qualities.append(float(quality[rows, pick].mean()))
    single_cost, single = cost.mean(axis=0), quality.mean(axis=0)
    low, high = float(single_cost.min()), float(single_cost.max())
    cheapest = float(single[single_cost.argmin()])
    hull = _hull(np.array([*costs, low]), np.array([*qualities, cheapest]))
    grid = np.linspace(low, high, 2001)
    area = np.trapezoid(np.interp(grid, hull[:, 0], hull[:, 1]), grid) / (high - low)
    own = _hull(np.array(costs), np.array(qualities))
    best = float(single.max())
    at_best = None
    if own[-1, 1] >= best:
        reached = float(np.interp(best, own[:, 1], own[:, 0]))
        at_best = reached / float(single_cost[single.argmax()])
    return PoolCurve(
        aiq=float(area),
        max_quality=max(qualities),
        best_single=best,
        cost_at_best=at_best,
        cost=own[:, 0].tolist(),
        quality=own[:, 1].tolist(),
    )


def _hull(cost: Floats, quality: Floats) -> Floats:
    """The upper left convex hull, non-decreasing."""
    rising: list[tuple[float, float]] = []
    for at in np.lexsort((-quality, cost)):
        if not rising or quality[at] > rising[-1][1]:
            rising.append((float(cost[at]), float(quality[at])))
    hull: list[tuple[float, float]] = []
    for point in rising:
        while len(hull) > 1 and _below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull)


def _below(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[1] - a[1]) * (c[0] - b[0]) <= (c[1] - b[1]) * (b[0] - a[0])


def interval(
    size: int, measure: Callable[[NDArray[np.int64]], float], *, rounds: int = 300
) -> tuple[float, float]:
    """A 95 % bootstrap interval of `measure` over resampled row numbers."""
    generator = np.random.default_rng(1)
    found = [measure(generator.integers(0, size, size)) for _ in range(rounds)]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def expected_calibration_error(chance: Floats, hit: Floats, *, bins: int = 10) -> float:
    """The expected calibration error, over equal-width bins."""
    at = np.clip((chance * bins).astype(int), 0, bins - 1)
    gaps = [
        abs(float(chance[at == b].mean()) - float(hit[at == b].mean())) * float((at == b).mean())
        for b in range(bins)
        if (at == b).any()
    ]
    return float(sum(gaps))
