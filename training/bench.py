"""The benchmark of engine `local` on held-out prompts: scores of an artefact, test by test."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.reading import OutcomeReader
from pointsman_server.engines.local.skills import SkillBook

from training.heads import sigmoid
from training.measure import Floats, interval, pair_curve, pool_curve
from training.samples import Samples
from training.skill_tables import membership, topic_accuracy
from training.sources import SAME_MODEL, STRONG, WEAK, Outcomes

WEAK_COLUMN = SAME_MODEL.get(WEAK, WEAK)

MMLU_PRO_PRICES = {
    "gemini-1.5-pro-002": (1.25, 5.0),
    "gemini-1.5-flash-002": (0.075, 0.3),
    "Meta-Llama-3_1-70B-Instruct": (0.88, 0.88),
    "jamba-1.5-large": (2.0, 8.0),
    "Qwen1.5-72B-Chat": (0.9, 0.9),
    "Meta-Llama-3_1-8B-Instruct": (0.18, 0.18),
    "Mixtral-8x7B-Instruct-v0.1": (0.6, 0.6),
    "mathstral-7B": (0.25, 0.25),
    "Phi-3-mini-4k-instruct": (0.13, 0.52),
    "c4ai-command-r-v01": (0.5, 1.5),
    "Mistral-7B-Instruct-v0.2": (0.2, 0.2),
}
"""Dollars per million tokens in and out, list prices of the models' own time."""

LLM_ROUTER_OUTPUT_TOKENS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `value` and `interval` are of `metric`."""

    test: str
    router: str
    metric: str
    value: float
    interval: tuple[float, float] | None = None
    more: dict[str, float | None] = field(default_factory=dict)
    curve: tuple[list[float], list[float]] | None = None
    """Cost or share of strong calls, and quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Outputs of an artefact's heads for many texts."""

    topics: Floats
    relative: Floats
    difficulty: Floats
    leverage: Floats
    length_leverage: Floats

    def quality(
        self, accuracy: Floats, *, with_difficulty: bool = True, measured: bool = True
    ) -> Floats:
        """Predicted quality, prompts x models, of models with these successes on each topic.

        `measured`: whether they were measured by topic, or follow from overall scores.
        """
        mixed: Floats = self.topics @ accuracy.T
        if not with_difficulty:
            return mixed
        moved = sigmoid(np.log(mixed / (1 - mixed)) - self.relative[:, None])
        middle = moved.mean(axis=1, keepdims=True)
        leverage = self.leverage if measured else self.length_leverage
        found: Floats = middle + (moved - middle) * (1 + leverage[:, None])
        return found


def read(artefact: Artefact, texts: list[str]) -> Read:
    """Read `texts` as the server would."""
    reader = OutcomeReader(artefact)
    found = [reader.read(text) for text in texts]
    return Read(
        topics=np.array([r.topics for r in found], float),
        relative=np.array([r.relative for r in found]),
        difficulty=np.array([r.difficulty for r in found]),
        leverage=np.array([r.leverage for r in found]),
        length_leverage=np.array([r.length_leverage for r in found]),
    )


def accuracy(artefact: Artefact, table: Outcomes) -> Floats:
    """Per-topic success of a table's models, as an operator would publish it: models x topics."""
    found = read(artefact, table.texts)
    return topic_accuracy(
        found.topics,
        table.results,
        easiness=artefact.easiness.astype(float),
        member=membership(artefact.topics),
    )


WEAK_SCORE, STRONG_SCORE = 0.70, 0.85
"""Overall scores of the pair in a catalog without topic scores."""


def _by_score(artefact: Artefact, scores: tuple[float, ...]) -> Floats:
    """Per-topic success as the engine works it out from overall scores: models x topics."""
    book = SkillBook(artefact)
    pool = book.pool(
        tuple(
            CatalogModel(public_id=f"{at}", router_id=f"{at}", score=s)
            for at, s in enumerate(scores)
        )
    )
    return np.asarray(pool.chances, float)


def pair_row(
    test: str, router: str, score: Floats, *, weak: Floats, strong: Floats, bootstrap: bool = True
) -> Row:
    """Routing between two models by `score`."""
    found = pair_curve(score, weak=weak, strong=strong)

    def resampled(at: NDArray[np.int64]) -> float:
        return pair_curve(score[at], weak=weak[at], strong=strong[at]).apgr

    return Row(
        test=test,
        router=router,
        metric="APGR",
        value=found.apgr,
        interval=interval(len(score), resampled) if bootstrap else None,
        more={"CPT50": found.cpt50, "CPT80": found.cpt80},
        curve=(found.share, found.quality),
    )


def pair_rows(
    artefact: Artefact,
    samples: Samples,
    name: str,
    *,
    code_points: int | None = None,
    bootstrap: bool = True,
) -> list[Row]:
    """RouteLLM's pair on a held-out part: the shipped model, and the baselines.

    `code_points` cuts the prompts as the service does; then only the model's rows are given.
    """
    test, train = samples.test[name], samples.train.get(name)
    weak, strong = test.column(WEAK_COLUMN), test.column(STRONG)
    found = read(artefact, [text.strip()[:code_points] for text in test.texts])
    overall = found.quality(_by_score(artefact, (WEAK_SCORE, STRONG_SCORE)), measured=False)
    routers = {
        "shared difficulty": found.difficulty,
        "overall scores only": overall[:, 1] - overall[:, 0],
    }
    if train is not None:
        known = accuracy(artefact, train)
        at = [train.models.index(WEAK_COLUMN), train.models.index(STRONG)]
        for router, full in (("topic skills only", False), ("shipped model", True)):
            quality = found.quality(known[at], with_difficulty=full)
            routers[router] = quality[:, 1] - quality[:, 0]
    label = name
    if code_points is None:
        routers["random"] = np.random.default_rng(0).random(len(test))
        routers["prompt length"] = np.array([float(len(text)) for text in test.texts])
        routers["oracle"] = strong - weak
    else:
        label = f"{name}, first {code_points} code points"
    return [
        pair_row(label, router, score, weak=weak, strong=strong, bootstrap=bootstrap)
        for router, score in routers.items()
    ]


def _pool(
    test: str,
    router: str,
    predicted: Floats,
    expected: Floats,
    *,
    quality: Floats,
    cost: Floats,
    bootstrap: bool = True,
) -> Row:
    found = pool_curve(predicted, expected, quality=quality, cost=cost)

    def resampled(at: NDArray[np.int64]) -> float:
        return pool_curve(predicted[at], expected[at], quality=quality[at], cost=cost[at]).aiq

    return Row(
        test=test,
        router=router,
        metric="AIQ",
        value=found.aiq,
        interval=interval(len(quality), resampled, rounds=60) if bootstrap else None,
        more={
            "best quality": found.max_quality,
            "best single": found.best_single,
            "cost at best single": found.cost_at_best,
        },
        curve=(found.cost, found.quality),
    )


def _pool_rows(
    test: str,
    found: Read,
    *,
    known: Floats,
    train_mean: Floats,
    expected: Floats,
    quality: Floats,
    cost: Floats,
    bootstrap: bool,
) -> list[Row]:
    routers = {
        "random": np.random.default_rng(0).random(quality.shape),
        "prompt-blind cost-quality": np.tile(train_mean, (len(quality), 1)),
        "topic skills only": found.quality(known, with_difficulty=False),
        "shipped model": found.quality(known),
        "oracle": quality,
    }
    return [
        _pool(test, name, predicted, expected, quality=quality, cost=cost, bootstrap=bootstrap)
        for name, predicted in routers.items()
    ]


def mmlu_pro_rows(artefact: Artefact, samples: Samples, *, bootstrap: bool = True) -> list[Row]:
    """MMLU-Pro with eleven priced models and their real answer lengths.

    A router expects a model's usual length, longer or shorter as the engine expects of the topic.
    """
    train, test = samples.train["mmlu_pro"], samples.test["mmlu_pro"]
    at = [test.models.index(name) for name in MMLU_PRO_PRICES]
    prices = np.array(list(MMLU_PRO_PRICES.values()))
    assert test.answer_chars is not None
    assert train.answer_chars is not None
    tokens_in = np.array([len(text) / 4 for text in test.texts])[:, None]
    real = np.nan_to_num(test.answer_chars[:, at]) / 4
    usual = np.nanmean(train.answer_chars[:, at], axis=0)[None] / 4
    found = read(artefact, test.texts)
    of_topic = found.topics @ artefact.output_tokens.astype(float)
    usual = usual * (of_topic / of_topic.mean())[:, None]
    return _pool_rows(
        "mmlu_pro",
        found,
        known=accuracy(artefact, train)[at],
        train_mean=train.results[:, at].mean(axis=0),
        expected=(tokens_in * prices[:, 0] + usual * prices[:, 1]) * 1e-3,
        quality=test.results[:, at],
        cost=(tokens_in * prices[:, 0] + real * prices[:, 1]) * 1e-3,
        bootstrap=bootstrap,
    )


def llm_router_rows(
    artefact: Artefact,
    samples: Samples,
    *,
    prices: dict[str, tuple[float, float]],
    bootstrap: bool = True,
) -> list[Row]:
    """LLMRouter's nine models, at list prices and one answer length for all."""
    train, test = samples.train["llm_router"], samples.test["llm_router"]
    price = np.array([prices[name] for name in test.models])
    tokens_in = np.array([len(text) / 4 for text in test.texts])[:, None]
    cost = (tokens_in * price[:, 0] + LLM_ROUTER_OUTPUT_TOKENS * price[:, 1]) * 1e-3
    return _pool_rows(
        "llm_router",
        read(artefact, test.texts),
        known=accuracy(artefact, train),
        train_mean=train.results.mean(axis=0),
        expected=cost,
        quality=test.results,
        cost=cost,
        bootstrap=bootstrap,
    )
