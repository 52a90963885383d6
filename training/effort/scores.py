"""Figures of logits on held-out requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.effort.rows import Row

Floats = NDArray[np.floating[Any]]

DOMAINS = ("general", "summary", "coding", "design", "data")

NON_ENGLISH = (
    "prompts_zh", "cvalues_zh", "specstory_destyler_zh", "oasst_fr", "mifeval_fr", "mifeval_es",
    "rulm_seed_ru", "rakuda_ja", "vigogne_seed_fr", "vigogne_doremiti_fr", "tool_queries_fr",
    "rag_ifeval_pl", "ifeval_da", "mgsm",
)  # fmt: skip


def spearman(a: Floats, b: Floats) -> float:
    """Rank correlation; 0 where all values of one side are the same."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Chance that a positive ranks above a negative; ties count half."""
    ranks = rankdata(score)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def sigmoid(x: Floats) -> Floats:
    """Log odds as probabilities."""
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(x, -30, 30)))
    return found


def expected(logits: Floats) -> Floats:
    """Expected effort, 1..5."""
    found: Floats = 1.0 + sigmoid(logits[:, :4]).sum(1)
    return found


def table(rows: Sequence[Row], logits: Floats) -> dict[str, float]:
    """The figures that need no threshold."""
    effort = np.array([r.effort for r in rows])
    score = expected(logits)
    real = np.array([r.source != "written" for r in rows])
    kinds = np.array([r.kind for r in rows])
    foreign = np.array([r.source in NON_ENGLISH for r in rows])
    domain = np.array([DOMAINS.index(r.domain) for r in rows])
    light, heavy = effort <= 2, effort >= 4

    def pair(mask: NDArray[np.bool_], low: NDArray[np.bool_], high: NDArray[np.bool_]) -> float:
        at = mask & (low | high)
        return auc(score[at], high[at])

    groups = defaultdict(list)
    for at, row in enumerate(rows):
        if row.source != "written":
            groups[row.source].append(at)
    within, right, pairs = [], 0.0, 0.0
    for members in groups.values():
        e, s = effort[members], score[members]
        if len(set(e.tolist())) > 1 and len(members) >= 20:
            within.append(spearman(s, e))
        gap = e[:, None] - e[None, :] >= 1
        right += float(((s[:, None] - s[None, :] > 0) & gap).sum())
        pairs += float(gap.sum())
    crossed = np.char.startswith(kinds, "crossed")
    reals = real
    return {
        "spearman": spearman(score[reals], effort[reals]),
        "within": float(np.mean(within)),
        "pairs": right / max(pairs, 1),
        "heavy-light": pair(real, light, heavy),
        "moderate-light": pair(real, light, ~light),
        "written": pair(~real, light, heavy),
        "crossed": pair(crossed, light, heavy),
        "domain": float((logits[:, 4:9].argmax(1) == domain)[real].mean()),
        "needs_info": auc(logits[real, 9], np.array([r.needs_info for r in rows])[real]),
        "turn": auc(logits[real, 10], np.array([r.turn for r in rows])[real]),
        "foreign": spearman(score[foreign], effort[foreign]),
        "written foreign": _foreign(rows, score, effort),
    }


def _foreign(rows: Sequence[Row], score: Floats, effort: Floats) -> float:
    at = np.array([r.source == "written" and r.lang not in {"", "en"} for r in rows])
    return spearman(score[at], effort[at])
