"""Calibration of a reader's logits, fitted to sources that its weights had not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.calibration import Calibration
from scipy import optimize

from training.effort.rows import Row
from training.effort.scores import DOMAINS, NON_ENGLISH, sigmoid

Floats = NDArray[np.floating[Any]]

HEAVY_SHARE: Final = 0.10
"""Share of effort 4 and 5 in the mix that probabilities are fitted for; 0.15 of the labelled."""

CALLED_HARD: Final = 0.025
CALLED_HARD_ABROAD: Final = 0.04
"""The most ordinary requests (effort 1 to 3) that may be called hard, everywhere and outside
English."""
CALLED_EASY: Final = 0.05
"""The most heavy requests that may be called easy."""
TEMPLATES: Final = ("prompts_chat",)
"""Prompts to be filled in. A third of them is labelled as vague for a blank that no other source
has; they would make "fix it" look clear."""
_ODD: Final = 1.5
"""A label is odd where another one is this many times as probable;"""
_PRICE: Final = 0.5
"""an odd label counts as this share of a wrong one."""
_LARGEST: Final = 150.0
"""A source's rows together weigh no more than this many."""
_WRITTEN: Final = 0.3
"""The weight of a written row beside a real one."""


def mix_weights(rows: Sequence[Row]) -> Floats:
    """The weight of each row in a mix that resembles traffic."""
    sizes = Counter(row.group for row in rows)
    weights = np.array(
        [
            min(1.0, _LARGEST / sizes[row.group]) * (_WRITTEN if row.source == "written" else 1.0)
            for row in rows
        ]
    )
    heavy = np.array([row.effort >= 4 for row in rows])
    share = weights[heavy].sum() / weights.sum()
    weights[heavy] *= HEAVY_SHARE / (1 - HEAVY_SHARE) * (1 - share) / share
    return weights


def platt(logits: Floats, truth: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Slope and intercept that make a binary logit a calibrated one."""
    target = truth.astype(float)
    total = weights.sum()

    def cost(at: Floats) -> tuple[float, Floats]:
        z = at[0] * logits + at[1]
        p = sigmoid(z)
        loss = np.logaddexp(0, z) - target * z
        error = weights * (p - target) / total
        return float((weights * loss).sum() / total), np.array(
            [(error * logits).sum(), error.sum()]
        )

    found = optimize.minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return round(float(found[0]), 4), round(float(found[1]), 4)


def temperature(logits: Floats, truth: NDArray[np.int64], weights: Floats) -> float:
    """The temperature at which the domains' probabilities are calibrated."""

    def cost(log_t: float) -> float:
        z = logits / np.exp(log_t)
        z = z - z.max(1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        return float(-(weights * log_p[np.arange(len(z)), truth]).sum())

    return round(
        float(np.exp(optimize.minimize_scalar(cost, bounds=(-1, 2), method="bounded").x)), 4
    )


def calibrate(rows: Sequence[Row], logits: Floats) -> dict[str, Any]:
    """The header's `calibration` from held-out logits."""
    effort = np.array([row.effort for row in rows])
    weights = mix_weights(rows)
    found: dict[str, Any] = {
        "above": [platt(logits[:, k - 1], effort > k, weights) for k in (1, 2, 3, 4)],
        "domain_temperature": temperature(
            logits[:, 4:9], np.array([DOMAINS.index(row.domain) for row in rows]), weights
        ),
        "needs_info": platt(
            logits[:, 9],
            np.array([row.needs_info for row in rows]),
            weights * np.array([row.source not in TEMPLATES for row in rows]),
        ),
        "turn": platt(logits[:, 10], np.array([row.turn for row in rows]), weights),
        "hard": 1.0,
        "easy": 1.0,
        "easy_below": 1.0,
    }
    shares = shares_of(logits, found)
    found["hard"] = hard_threshold(rows, shares, effort, weights)
    found["easy"], found["easy_below"] = easy_thresholds(
        rows, shares, effort, weights, hard=found["hard"]
    )
    return found


def shares_of(logits: Floats, calibration: dict[str, Any]) -> Floats:
    """Probability of easy, medium and hard, texts x 3."""
    above = np.stack(
        [sigmoid(a * logits[:, k] + b) for k, (a, b) in enumerate(calibration["above"])], axis=1
    )
    above = np.minimum.accumulate(above, axis=1)
    return np.stack([1 - above[:, 1], above[:, 1] - above[:, 2], above[:, 2]], axis=1)


def hard_threshold(
    rows: Sequence[Row], shares: Floats, effort: NDArray[np.int64], weights: Floats
) -> float:
    """The lowest threshold of "hard" that calls few ordinary requests so."""
    real = np.array([row.source != "written" for row in rows])
    abroad = np.array([row.source in NON_ENGLISH for row in rows])
    ordinary = effort <= 3
    bounds = [
        quantile(shares[at, 2], weights[at], 1 - share)
        for at, share in (
            (ordinary & real, CALLED_HARD),
            (ordinary & abroad, CALLED_HARD_ABROAD),
        )
    ]
    return round(max(bounds), 4)


def easy_thresholds(
    rows: Sequence[Row], shares: Floats, effort: NDArray[np.int64], weights: Floats, *, hard: float
) -> tuple[float, float]:
    """The two thresholds of "easy" with the best labels at which few heavy ones are called so.

    The best labels are right, and seldom much less probable than another one would be.
    """
    rest = shares[:, 2] < hard
    real = np.array([row.source != "written" for row in rows])
    heavy, light, middle = real & (effort >= 4), effort <= 2, effort == 3
    largest = shares.max(axis=1)
    best = (-1.0, 1.0, 0.0)
    for bound in np.arange(0.40, 0.95, 0.02):
        for below in (*np.arange(0.01, 0.20, 0.01), 1.0):
            easy = rest & (shares[:, 0] >= bound) & (shares[:, 2] < below)
            wrong = (weights * (heavy & easy)).sum() / (weights * heavy).sum()
            right = (weights * (easy & light)).sum() + (weights * (rest & ~easy & middle)).sum()
            odd = rest & (largest > _ODD * np.where(easy, shares[:, 0], shares[:, 1]))
            worth = float((right - _PRICE * (weights * odd).sum()) / weights.sum())
            if wrong <= CALLED_EASY and worth > best[0]:
                best = (worth, float(bound), float(below))
    return round(best[1], 4), round(best[2], 4)


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """The value below which `share` of the weight lies."""
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(summed, share * summed[-1])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The figures of labels."""

    accuracy: float
    ece: float
    sure: float
    """Share of requests with a confidence above 0.9."""
    sure_right: float
    heavy_recall: float
    called_hard: float
    """Share of ordinary requests that are called hard."""
    called_hard_abroad: float
    heavy_called_easy: float
    light_passed: float
    """Light requests under the score that at most 5 % of the heavy are under."""


def labelled(rows: Sequence[Row], logits: Floats, calibration: dict[str, Any]) -> Labelled:
    """The figures that rest on thresholds and probabilities, on the real rows among `rows`."""
    Calibration.of(calibration)
    at = np.array([row.source != "written" for row in rows])
    effort = np.array([row.effort for row in rows])[at]
    abroad = np.array([row.source in NON_ENGLISH for row in rows])[at]
    weights = mix_weights(rows)[at]
    weights /= weights.sum()
    shares = shares_of(logits[at], calibration)
    easy = (shares[:, 0] >= calibration["easy"]) & (shares[:, 2] < calibration["easy_below"])
    label = np.where(shares[:, 2] >= calibration["hard"], 2, np.where(easy, 0, 1))
    truth = np.where(effort <= 2, 0, np.where(effort == 3, 1, 2))
    sure = shares[np.arange(len(label)), label]
    right = label == truth
    bins = np.clip((sure * 10).astype(int), 0, 9)
    gaps = [abs(float((weights * (sure - right))[bins == b].sum())) for b in range(10)]

    def mean(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
        return float((weights * (of & among)).sum() / (weights * among).sum())

    score = shares[:, 2] - shares[:, 0]
    bound = quantile(score[effort >= 4], weights[effort >= 4], 0.05)
    everything = np.ones(len(label), bool)
    return Labelled(
        accuracy=mean(right, everything),
        ece=float(sum(gaps)),
        sure=mean(sure > 0.9, everything),
        sure_right=mean(right, sure > 0.9),
        heavy_recall=mean(label == 2, effort >= 4),
        called_hard=mean(label == 2, effort <= 3),
        called_hard_abroad=mean(label == 2, (effort <= 3) & abroad),
        heavy_called_easy=mean(label == 0, effort >= 4),
        light_passed=mean(score < bound, effort <= 2),
    )
