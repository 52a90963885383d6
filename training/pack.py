"""From floating-point heads to the artefact: int8 weights, calibrated curves, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pointsman_server.engines.local import features, hashing
from pointsman_server.engines.local.artefact import Artefact

from training.fit import LEVERAGE_TOPIC, Fitted
from training.heads import Floats
from training.topics import broad_topics

PLACEHOLDER_CURVES: Mapping[str, Any] = {
    "curves": {
        name: [[0.0, 1.0], [0.0, 1.0]]
        for name in (
            *("difficulty_easy", "difficulty_medium", "difficulty_hard"),
            *("vague", "domain", "topic"),
        )
    },
    "terciles": [0.33, 0.66],
    "domain_threshold": 0.0,
    "difficulty_gain": 1.0,
}
"""The calibration of an uncalibrated artefact: raw scores."""


def pack(fitted: Fitted, *, version: str, extra: Mapping[str, Any]) -> Artefact:
    """Quantise the hashed weights to int8 by column and put everything into one artefact.

    `extra` goes into the header as it is.
    """
    columns = np.hstack(
        [
            fitted.hidden,
            np.stack([fitted.difficulty, fitted.leverage, fitted.tuned_leverage], axis=1),
            fitted.domain,
            fitted.vague[:, None],
        ]
    )
    buckets = 1 << hashing.BITS
    words, dense, bias = columns[:buckets], columns[buckets:-1], columns[-1]
    scale = np.abs(words).max(axis=0) / 127 + 1e-12
    broad = broad_topics()
    return Artefact(
        meta={
            "version": version,
            "features": features.VERSION,
            "topics": [{"name": name, "broad": broad[name]} for name in fitted.topics],
            "score_mix": _plain(fitted.score_mix),
            "leverage_topic": LEVERAGE_TOPIC,
            **extra,
        },
        table=np.round(words / scale).astype(np.int8),
        scale=scale.astype(np.float32),
        dense=(dense * fitted.scaling.weight).astype(np.float32),
        bias=bias.astype(np.float32),
        center=fitted.scaling.center.astype(np.float32),
        deviation=fitted.scaling.deviation.astype(np.float32),
        project=fitted.project.astype(np.float32),
        topic_bias=fitted.topic_bias.astype(np.float32),
        easiness=fitted.easiness.astype(np.float32),
        output_tokens=fitted.output_tokens.astype(np.float32),
    )


def _plain(values: Floats) -> list[float]:
    return [round(float(value), 6) for value in values]
