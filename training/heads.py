"""The linear heads, fitted on hashed words and dense measurements."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from training.matrix import matrix

Floats = NDArray[np.float64]

CLIP = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The standardisation of dense features, and their weight beside hashed words."""

    center: Floats
    deviation: Floats
    weight: float

    @classmethod
    def of(cls, dense: NDArray[np.float32], *, weight: float) -> Scaling:
        """Fit to the rows of `dense`."""
        wide = dense.astype(np.float64)
        return cls(center=wide.mean(axis=0), deviation=wide.std(axis=0) + 1e-6, weight=weight)

    def design(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Hashed words, standardised measurements and a column of ones."""
        return self.join(*matrix(texts))

    def join(self, hashed: sparse.csr_matrix, dense: NDArray[np.float32]) -> sparse.csr_matrix:
        """The same from parts that were computed before."""
        standard = np.clip((dense - self.center) / self.deviation, -CLIP, CLIP) * self.weight
        ones = np.ones((len(dense), 1))
        return sparse.hstack([hashed, sparse.csr_matrix(np.hstack([standard, ones]))]).tocsr()


def sigmoid(scores: Floats) -> Floats:
    """Log odds as probabilities."""
    return 1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30)))


def softmax(scores: Floats) -> Floats:
    """Scores as probabilities, row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def classes(
    x: sparse.csr_matrix, labels: NDArray[np.str_], *, weights: Floats, c: float, iterations: int
) -> tuple[list[str], Floats]:
    """Multinomial logistic regression: the labels in order, and weights features x labels."""
    fitted = LogisticRegression(C=c, max_iter=iterations, tol=1e-3, fit_intercept=False)
    with warnings.catch_warnings():
        # Stopping before it has converged is wanted: it is part of the regularisation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(x, labels, sample_weight=weights)
    found = fitted.coef_
    if len(fitted.classes_) == 2:
        found = np.vstack([-found / 2, found / 2])
    return [str(name) for name in fitted.classes_], found.T


def difficulty(
    x: sparse.csr_matrix, results: Floats, *, weights: Floats, penalty: float, iterations: int
) -> tuple[Floats, Floats]:
    """One difficulty for all models: logit P(model right) = ability - x.w. Gives w, abilities.

    `results` is prompts x models with NaN for unknown; `weights` one per prompt.
    """
    width, models = x.shape[1], results.shape[1]
    known = ~np.isnan(results)
    right = np.where(known, results, 0.0)
    weight = known * weights[:, None]
    transposed = x.T.tocsr()

    def loss(p: Floats) -> tuple[float, Floats]:
        w, ability = p[:width], p[width:]
        chance = sigmoid(ability[None] - (x @ w)[:, None])
        error = (chance - right) * weight
        value = _cross_entropy(chance, right, weight) + 0.5 * penalty * float(w @ w)
        return value, np.concatenate(
            [-(transposed @ error.sum(axis=1)) + penalty * w, error.sum(axis=0)]
        )

    found = _minimise(loss, width + models, iterations)
    return found[:width], found[width:]


def leverage_target(results: Floats, *, expected: Floats) -> tuple[Floats, Floats]:
    """The leverage of the choice of a model on each prompt: target and weight for a ridge.

    `expected` is each model's success by the prompt's topics. The target is the slope of
    outcomes over expectations, both relative to the models' mean, less one. A prompt whose
    topics set the models apart says more of it than one where all are alike.
    """
    ahead = expected - expected.mean(axis=1, keepdims=True)
    happened = results - results.mean(axis=1, keepdims=True)
    power = (ahead * ahead).sum(axis=1)
    floor = 0.25 * float(np.median(power))
    target = ((ahead * happened).sum(axis=1) - power) / (power + floor)
    weight = (power + floor) / float((power + floor).mean())
    return target, weight


def ridge(x: sparse.csr_matrix, target: Floats, *, weights: Floats, penalty: float) -> Floats:
    """Weighted ridge regression without an intercept."""
    fitted = Ridge(penalty, solver="lsqr", fit_intercept=False)
    found: Floats = fitted.fit(x, target, sample_weight=weights).coef_
    return found


def _cross_entropy(chance: Floats, right: Floats, weight: Floats) -> float:
    logs = right * np.log(chance + 1e-9) + (1 - right) * np.log(1 - chance + 1e-9)
    return float(-(weight * logs).sum())


def _minimise(loss: object, width: int, iterations: int) -> Floats:
    options = {"maxiter": iterations, "maxcor": 20}
    found = optimize.minimize(loss, np.zeros(width), jac=True, method="L-BFGS-B", options=options)
    result: Floats = found.x
    return result
