"""Split the rows into training, calibration and test.

Held out for good: half B of RouteLLM's MMLU and GSM8K, all of MT-bench, three tenths of MMLU-Pro,
LLMRouter's test part, the user-oriented instructions and the IN3 test. A question that is held
out anywhere is held out everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import sources
from training.requests import Request, requests
from training.sources import Outcomes, bucket, stem
from training.topics import TASKS, exam

CALIBRATION_TENTHS = 1


def half_b(key: str) -> bool:
    """Whether a stem is in the held-out half of RouteLLM's sets."""
    return bucket(key, 2) == 1


def mmlu_pro_test(key: str) -> bool:
    """Whether a stem is in the held-out part of MMLU-Pro."""
    return bucket(key, 10) >= 7


def calibrates(key: str) -> bool:
    """Whether a training prompt is reserved for calibration."""
    return bucket(f"calibration:{key}", 10) < CALIBRATION_TENTHS


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Everything that training and evaluation work with."""

    train: dict[str, Outcomes]
    """By set: mmlu, gsm8k, mmlu_pro, llm_router; their training parts, calibration included."""
    test: dict[str, Outcomes]
    """By set: the same, and mt_bench, without any training data."""
    topics: dict[str, list[str | None]]
    """By set: the fine topic of each training prompt; `None`: the set does not say."""
    requests: list[Request]
    """Labelled prompts without outcomes; those held out are gone."""


Keep = Callable[[str], bool]


def _split(table: Outcomes, held: Keep) -> tuple[Outcomes, Outcomes]:
    mask = np.array([held(key) for key in table.stems])
    return table.keep(~mask), table.keep(mask)


def _fine(name: str, label: str, origin: str) -> str | None:
    if name == "mmlu":
        return label
    if name == "gsm8k":
        return "word_problem"
    if name == "mmlu_pro":
        return origin.removeprefix("ori_mmlu-") if origin.startswith("ori_") else exam(label)
    return TASKS.get(label)


def samples(data: Path, *, half: Keep = half_b, share: float = 1.0) -> Samples:
    """Read and split everything. `share` keeps only that part of each training set, for trials."""
    mmlu, mmlu_test = _split(sources.mmlu(data), half)
    gsm8k, gsm8k_test = _split(sources.gsm8k(data), half)
    pro, pro_test = _split(sources.mmlu_pro(data), mmlu_pro_test)
    router, router_test = sources.llm_router(data)
    test = {
        "mmlu": mmlu_test,
        "gsm8k": gsm8k_test,
        "mmlu_pro": pro_test,
        "llm_router": router_test,
        "mt_bench": sources.mt_bench(data),
    }
    held = {key for table in test.values() for key in table.stems}
    train = {}
    for table in (mmlu, gsm8k, pro, router):
        mask = [
            key not in held and bucket(f"share:{key}", 1_000) < share * 1_000 for key in table.stems
        ]
        train[table.name] = _distinct(table.keep(np.array(mask)))
    return Samples(
        train=train,
        test=test,
        topics={
            name: [
                _fine(name, label, origin)
                for label, origin in zip(table.labels, table.origins, strict=True)
            ]
            for name, table in train.items()
        },
        requests=_fresh(requests(data), held=held, share=share),
    )


def _distinct(table: Outcomes) -> Outcomes:
    """The first row of each stem."""
    seen: set[str] = set()
    mask: NDArray[np.bool_] = np.zeros(len(table), bool)
    for at, key in enumerate(table.stems):
        mask[at] = key not in seen
        seen.add(key)
    return table.keep(mask)


def _fresh(found: list[Request], *, held: set[str], share: float) -> list[Request]:
    kept: dict[str, Request] = {}
    for request in found:
        key = stem(request.text)
        if key not in held and bucket(f"share:{key}", 1_000) < share * 1_000:
            kept.setdefault(f"{request.source}:{key}", request)
    return list(kept.values())


def folded(found: Samples, *, fold: int, folds: int = 5) -> Samples:
    """Training data alone, split again: for choosing settings without a look at the test parts."""

    def held(key: str) -> bool:
        return bucket(f"fold:{key}", folds) == fold

    train, test, topics = {}, {}, {}
    for name, table in found.train.items():
        mask = np.array([held(key) for key in table.stems])
        train[name], test[name] = table.keep(~mask), table.keep(mask)
        topics[name] = [t for t, h in zip(found.topics[name], mask, strict=True) if not h]
    return Samples(
        train=train,
        test=test,
        topics=topics,
        requests=[r for r in found.requests if not held(stem(r.text))],
    )
