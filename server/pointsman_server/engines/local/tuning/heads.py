"""The default reader's last two layers, fitted in numpy to labelled requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.engines.local.readers import DIFFICULTIES
from pointsman_server.engines.local.tuning.lines import LabelledRequest

Floats = NDArray[np.float32]

_LEVELS: Final = 4
_UNKNOWN: Final = -1.0
_BATCH: Final = 64
_BETA1, _BETA2, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Hidden layer and heads; shapes as in the artefact."""

    middle: Floats
    middle_bias: Floats
    heads: Floats
    heads_bias: Floats

    def logits(self, pooled: Floats) -> Floats:
        """Texts x 11 of texts x pooled."""
        hidden = np.maximum(pooled @ self.middle + self.middle_bias, 0.0)
        found: Floats = hidden @ self.heads + self.heads_bias
        return found

    def parts(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return all arrays, in the order of the fields."""
        return self.middle, self.middle_bias, self.heads, self.heads_bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The wanted outputs of requests."""

    above: Floats
    """Texts x 4: whether the effort is above 1, 2, 3, 4; -1 where the label does not say."""
    domain: NDArray[np.int64]
    """Index of the domain; -1: not labelled."""

    def take(self, at: NDArray[np.int64]) -> Targets:
        """Return the targets at these indices."""
        return Targets(above=self.above[at], domain=self.domain[at])


_ABOVE: Final = {
    "easy": (_UNKNOWN, 0.0, 0.0, 0.0),
    "medium": (1.0, 1.0, 0.0, 0.0),
    "hard": (1.0, 1.0, 1.0, _UNKNOWN),
}


def targets(requests: Sequence[LabelledRequest]) -> Targets:
    """The labels of requests as arrays."""
    return Targets(
        above=np.array(
            [
                _ABOVE[r.difficulty]
                if r.effort is None
                else [float(r.effort > level) for level in range(1, _LEVELS + 1)]
                for r in requests
            ],
            np.float32,
        ),
        domain=np.array([-1 if r.domain is None else DOMAINS.index(r.domain) for r in requests]),
    )


def truth(requests: Sequence[LabelledRequest]) -> NDArray[np.int64]:
    """The index of each request's difficulty."""
    return np.array([DIFFICULTIES.index(r.difficulty) for r in requests])


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Bounds on the movement of the heads."""

    epochs: int = 30
    rate: float = 1e-3
    hold: float = 2e-3
    """Pull back to where they started, times the squared distance."""


def fit(
    start: Heads, pooled: Floats, wanted: Targets, *, settings: FitSettings, seed: int
) -> Heads:
    """Move the heads towards the labels by Adam; the same input gives the same heads."""
    generator = np.random.default_rng(seed)
    parts = [_Part(part, settings) for part in start.parts()]
    for _ in range(settings.epochs):
        order = generator.permutation(len(pooled))
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            slopes = _slopes([part.at for part in parts], pooled[rows], wanted.take(rows))
            for part, slope in zip(parts, slopes, strict=True):
                part.move(slope)
    middle, middle_bias, heads, heads_bias = (part.at.astype(np.float32) for part in parts)
    return Heads(middle=middle, middle_bias=middle_bias, heads=heads, heads_bias=heads_bias)


class _Part:
    """One array that Adam moves."""

    def __init__(self, start: Floats, settings: FitSettings) -> None:
        self.at = start.astype(np.float64)
        self._home = self.at.copy()
        self._settings = settings
        self._first = np.zeros_like(self.at)
        self._second = np.zeros_like(self.at)
        self._step = 0

    def move(self, slope: NDArray[np.float64]) -> None:
        """Take one step against `slope`."""
        self._step += 1
        slope = slope + 2 * self._settings.hold * (self.at - self._home)
        self._first += (1 - _BETA1) * (slope - self._first)
        self._second += (1 - _BETA2) * (slope**2 - self._second)
        rate = self._settings.rate * (1 - _BETA2**self._step) ** 0.5 / (1 - _BETA1**self._step)
        self.at -= rate * self._first / (np.sqrt(self._second) + _TINY)


def _slopes(
    parts: Sequence[NDArray[np.float64]], pooled: Floats, wanted: Targets
) -> list[NDArray[np.float64]]:
    """The gradient of the mean loss."""
    middle, middle_bias, heads, heads_bias = parts
    before = pooled @ middle + middle_bias
    hidden = np.maximum(before, 0.0)
    logits = hidden @ heads + heads_bias
    errors = np.zeros_like(logits)
    known = wanted.above != _UNKNOWN
    chance = 1.0 / (1.0 + np.exp(-np.clip(logits[:, :_LEVELS], -30, 30)))
    errors[:, :_LEVELS] = np.where(known, chance - wanted.above, 0.0)
    with_domain = np.flatnonzero(wanted.domain >= 0)
    if len(with_domain):
        scores = logits[with_domain, _LEVELS : _LEVELS + len(DOMAINS)]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        powers[np.arange(len(with_domain)), wanted.domain[with_domain]] -= 1.0
        errors[with_domain, _LEVELS : _LEVELS + len(DOMAINS)] = powers
    errors /= len(pooled)
    back = (errors @ heads.T) * (before > 0.0)
    return [pooled.T @ back, back.sum(axis=0), hidden.T @ errors, errors.sum(axis=0)]
