"""Lengths of answers, by topic."""

from __future__ import annotations

import numpy as np

from training.heads import Floats
from training.samples import Samples
from training.topics import broad_topics

_USUAL_TOKENS = {
    "coding": 700.0,
    "data": 350.0,
    "design": 700.0,
    "writing": 500.0,
    "summary": 200.0,
    "general": 250.0,
    "math": 300.0,
    "logic": 300.0,
}
_OTHER_TOKENS = 200.0


def output_tokens(samples: Samples, topics: list[str]) -> Floats:
    """Expected answer length: measured where MMLU-Pro tells, else a plain assumption."""
    table = samples.train["mmlu_pro"]
    assert table.answer_chars is not None
    seen: dict[str, list[float]] = {}
    lengths = np.nanmean(table.answer_chars, axis=1)
    for topic, length in zip(samples.topics["mmlu_pro"], lengths, strict=True):
        if topic and not np.isnan(length):
            seen.setdefault(topic, []).append(float(length))
    broad = broad_topics()
    return np.array(
        [
            float(np.mean(seen[name])) / 4
            if name in seen
            else _USUAL_TOKENS.get(broad[name], _OTHER_TOKENS)
            for name in topics
        ]
    )
