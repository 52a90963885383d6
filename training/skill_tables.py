"""The success rate of each model on each topic, from its outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training import heads
from training.heads import Floats
from training.topics import broad_topics


def membership(topics: Sequence[str]) -> Floats:
    """Fine topics x broad topics, ones and zeros."""
    broad = broad_topics()
    names = sorted(set(broad.values()))
    return np.array([[float(broad[topic] == name) for name in names] for topic in topics])


def topic_accuracy(shares: Floats, results: Floats, *, easiness: Floats, member: Floats) -> Floats:
    """Each model's success on each fine topic, models x topics, from soft topic counts.

    `results` is prompts x models without gaps. Few prompts count little: a broad topic is shrunk
    towards the model's overall success and the topic's easiness, a fine one towards its broad one.
    """
    counts, right = shares.sum(axis=0), results.T @ shares
    level = _logit(results.mean(axis=0)) - float((shares @ easiness).mean())
    expected = heads.sigmoid(level[:, None] + easiness[None])
    broad_counts, broad_right = counts @ member, right @ member
    broad_expected = (expected * counts) @ member / np.maximum(broad_counts, 1e-9)
    broad = (broad_right + BROAD_PRIOR * broad_expected) / (broad_counts + BROAD_PRIOR)
    moved = heads.sigmoid(_logit(expected) + (_logit(broad) - _logit(broad_expected)) @ member.T)
    fine = (right + FINE_PRIOR * moved) / (counts + FINE_PRIOR)
    clipped: Floats = np.clip(fine, 0.02, 0.98)
    return clipped


BROAD_PRIOR, FINE_PRIOR = 20.0, 60.0
"""The numbers of prompts of a topic that weigh as much as its prior."""


def _logit(share: Floats) -> Floats:
    kept = np.clip(share, 0.02, 0.98)
    found: Floats = np.log(kept / (1 - kept))
    return found
