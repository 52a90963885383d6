"""Fit all heads from the samples: targets, data and settings of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pointsman_server.core.engine_rules import DOMAINS
from scipy import sparse

from training import heads
from training.answers import output_tokens
from training.augment import augmented
from training.heads import Floats, Scaling
from training.matrix import matrix
from training.pool import Pool, fitting, pool, prompt_weights
from training.samples import Samples, calibrates
from training.skill_tables import membership, topic_accuracy
from training.sources import stem
from training.topics import broad_topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings. Each was chosen on training folds only; `docs/local-engine.md` says how."""

    dense_weight: float = 0.2
    augment_outcomes: int = 40
    augment_requests: int = 60
    """Per cent of the training texts that are changed as `training.augment` says."""
    hidden: int = 64
    topic_c: float = 20.0
    topic_iterations: int = 100
    topic_middle_c: float = 0.1
    topic_mass: float = 4_000.0
    """The most that one set weighs in the topic head, in prompts."""
    domain_c: float = 2.0
    vague_c: float = 5.0
    difficulty_penalty: float = 20.0
    difficulty_gain: float = 0.5
    """The weight of a prompt's difficulty beyond its topics' in the predicted quality."""
    leverage_penalty: float = 10.0
    tuned_trust: float = 0.5
    """The share by which the leverage of `LEVERAGE_TOPIC` replaces the general one there."""
    iterations: int = 150
    domain_mass: float = 600.0
    """The most that one set's prompts of one domain weigh in the domain head, in prompts."""
    vague_mass: float = 200.0
    """The weight, in prompts, of each set without vagueness labels, as clear."""


LEVERAGE_TOPIC = "word_problem"
"""The only fine topic with hundreds of separate outcomes and a dedicated set. Its posterior does
not separate its prompts, so its leverage is worth a head."""

SOURCE_WEIGHT = {"arena_hard_v2": 4.0, "seeds": 4.0, "sql_eval": 0.3, "spider2": 0.5}
"""Real prompts of real people weigh more than the many of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The heads as floating-point weights over `Scaling.design`'s columns."""

    scaling: Scaling
    topics: list[str]
    hidden: Floats
    """design columns x hidden."""
    project: Floats
    """hidden x topics."""
    topic_bias: Floats
    easiness: Floats
    difficulty: Floats
    leverage: Floats
    tuned_leverage: Floats
    """The correction of the leverage, times the probability of `LEVERAGE_TOPIC`."""
    domain: Floats
    """design columns x domains."""
    vague: Floats
    output_tokens: Floats
    score_mix: Floats
    """topics: the share of each in the benchmark that an overall `score` means."""


def _balance(sources: list[str], mass: float) -> Floats:
    counts = Counter(sources)
    return np.array(
        [
            min(1.0, mass / counts[name]) * SOURCE_WEIGHT.get(name.partition(":")[0], 1.0)
            for name in sources
        ]
    )


def fit(samples: Samples, *, recipe: Recipe) -> Fitted:
    """Fit every head on the rows that do not calibrate."""
    outcomes = pool(*fitting(samples))
    asked = [r for r in samples.requests if not calibrates(stem(r.text))]
    hashed, dense = matrix(
        [
            *augmented(outcomes.texts, percent=recipe.augment_outcomes),
            *augmented([r.text for r in asked], percent=recipe.augment_requests),
        ]
    )
    scaling = Scaling.of(dense, weight=recipe.dense_weight)
    x = scaling.join(hashed, dense)
    x_outcomes = x[: len(outcomes.texts)]

    topics, hidden, project, topic_bias = _topics(
        x,
        labels=[*outcomes.topics, *(r.topic for r in asked)],
        sources=[*outcomes.names, *(r.source for r in asked)],
        recipe=recipe,
    )
    chances = heads.softmax(x @ hidden @ project + topic_bias)
    weights = prompt_weights(outcomes.results)
    difficulty, ability = heads.difficulty(
        x_outcomes,
        outcomes.results,
        weights=weights,
        penalty=recipe.difficulty_penalty,
        iterations=recipe.iterations,
    )
    difficulty[-1] -= _typical(ability, outcomes.results)
    easiness = -(chances.T @ (x @ difficulty)) / (chances.sum(axis=0) + 1e-9)
    shares = chances[: len(outcomes.texts)]
    leverage, tuned_leverage = _leverage(
        (x_outcomes, scaling.design(outcomes.texts)),
        outcomes,
        shares=shares,
        easiness=easiness,
        topics=topics,
        recipe=recipe,
    )
    is_pro = np.array([name == "mmlu_pro" for name in outcomes.names])
    return Fitted(
        scaling=scaling,
        topics=topics,
        hidden=hidden,
        project=project,
        topic_bias=topic_bias,
        easiness=easiness,
        difficulty=difficulty,
        leverage=leverage,
        tuned_leverage=tuned_leverage,
        domain=_domain(
            x,
            labels=[*map(_outcome_domain, outcomes.topics), *(r.domain for r in asked)],
            sources=[*outcomes.names, *(r.source for r in asked)],
            recipe=recipe,
        ),
        vague=_vague(
            x,
            labels=[*(None for _ in outcomes.texts), *(r.vague for r in asked)],
            sources=[*outcomes.names, *(r.source for r in asked)],
            recipe=recipe,
        ),
        output_tokens=output_tokens(samples, topics),
        score_mix=shares[is_pro].mean(axis=0),
    )


def _typical(ability: Floats, results: Floats) -> float:
    counts = (~np.isnan(results)).sum(axis=0)
    return float((ability * counts).sum() / counts.sum())


def _leverage(
    dresses: Sequence[sparse.csr_matrix],
    outcomes: Pool,
    *,
    shares: Floats,
    easiness: Floats,
    topics: list[str],
    recipe: Recipe,
) -> tuple[Floats, Floats]:
    """The leverage head, and its correction on `LEVERAGE_TOPIC`.

    All variants of a prompt count once together.
    """
    target, weight = _leverage_targets(
        outcomes, shares=shares, easiness=easiness, member=membership(topics)
    )

    def ridge(share: Floats | float) -> Floats:
        return heads.ridge(
            sparse.vstack(dresses).tocsr(),
            np.tile(target, len(dresses)),
            weights=np.tile(weight * share / len(dresses), len(dresses)),
            penalty=recipe.leverage_penalty,
        )

    everywhere = ridge(1.0)
    alone = ridge(shares[:, topics.index(LEVERAGE_TOPIC)])
    return everywhere, recipe.tuned_trust * (alone - everywhere)


def _leverage_targets(
    outcomes: Pool, *, shares: Floats, easiness: Floats, member: Floats
) -> tuple[Floats, Floats]:
    """Target and weight of each prompt, from the models that answered all of its set.

    One of a small set weighs more, by the root of how much smaller the set is.
    """
    target, weight = np.zeros(len(outcomes.names)), np.zeros(len(outcomes.names))
    sizes = Counter(outcomes.names)
    for name in dict.fromkeys(outcomes.names):
        at = np.flatnonzero([name == other for other in outcomes.names])
        results = outcomes.results[at]
        results = results[:, ~np.isnan(results).any(axis=0)]
        known = topic_accuracy(shares[at], results, easiness=easiness, member=member)
        target[at], weight[at] = heads.leverage_target(results, expected=shares[at] @ known.T)
        weight[at] *= (max(sizes.values()) / sizes[name]) ** 0.5
    return target, weight


def _topics(
    x: sparse.csr_matrix, *, labels: list[str | None], sources: list[str], recipe: Recipe
) -> tuple[list[str], Floats, Floats, Floats]:
    """The topic head through a narrow middle: names, design x hidden, hidden x topics, bias."""
    at = [i for i, label in enumerate(labels) if label]
    names = np.array([labels[i] for i in at])
    weights = _balance([sources[i] for i in at], recipe.topic_mass)
    known, wide = heads.classes(
        x[at], names, weights=weights, c=recipe.topic_c, iterations=recipe.topic_iterations
    )
    # The bias column would dominate the decomposition; the projection below has its own.
    left, size, _ = np.linalg.svd(wide[:-1], full_matrices=False)
    hidden = np.zeros((len(wide), min(recipe.hidden, len(size))))
    hidden[:-1] = left[:, : hidden.shape[1]] * size[: hidden.shape[1]]
    signs = np.sign(hidden[np.abs(hidden).argmax(axis=0), np.arange(hidden.shape[1])])
    hidden *= signs
    middle = x[at] @ hidden
    scale = middle.std(axis=0)
    hidden /= scale
    ones = np.ones((len(at), 1))
    _, narrow = heads.classes(
        sparse.csr_matrix(np.hstack([middle / scale, ones])),
        names,
        weights=weights,
        c=recipe.topic_middle_c,
        iterations=200,
    )
    return known, hidden, narrow[:-1], narrow[-1]


_DOMAIN_OF_BROAD = {"coding": "coding", "data": "data", "summary": "summary"}


def _outcome_domain(topic: str | None) -> str:
    """The domain of a prompt with outcomes: questions and tasks are general unless of code."""
    return _DOMAIN_OF_BROAD.get(broad_topics()[topic], "general") if topic else "general"


def _domain(
    x: sparse.csr_matrix, *, labels: list[str | None], sources: list[str], recipe: Recipe
) -> Floats:
    at = [i for i, label in enumerate(labels) if label]
    names = np.array([labels[i] for i in at])
    weights = _balance([f"{sources[i]}:{labels[i]}" for i in at], recipe.domain_mass)
    for name in DOMAINS:
        chosen = names == name
        weights[chosen] *= (weights.sum() / len(DOMAINS) / weights[chosen].sum()) ** 0.5
    order, found = heads.classes(x[at], names, weights=weights, c=recipe.domain_c, iterations=100)
    return found[:, [order.index(domain) for domain in DOMAINS]]


def _vague(
    x: sparse.csr_matrix, *, labels: list[bool | None], sources: list[str], recipe: Recipe
) -> Floats:
    """Vague requests against those that were judged clear, and a few of every other set.

    Unjudged requests count as clear: the head must not call a request vague only because it looks
    unlike the one judged set.
    """
    names = np.array([str(int(bool(label))) for label in labels])
    mass = _balance(sources, recipe.vague_mass)
    judged = np.array([label is not None for label in labels])
    weights = np.where(judged, 1.0, mass)
    _, found = heads.classes(x, names, weights=weights, c=recipe.vague_c, iterations=200)
    vague: Floats = found[:, 1] - found[:, 0]
    return vague
