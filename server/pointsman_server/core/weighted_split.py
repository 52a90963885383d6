"""The split of runs over profiles: weighted rendezvous hashing, the same in every language.

`docs/routes.md` defines it, `docs/split-vectors.json` has rows to check an implementation by.
Each candidate gets a cost from its own weight and a hash of (purpose, run id, profile); the lowest
wins. No candidate's cost knows of the others, so a change of one moves only runs to or from it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

DOMAIN = "pointsman.split.v1"
"""The prefix of the hashed message, which separates versions of the definition."""

_BITS = 53
"""The bits that a double holds exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """A candidate of a split: a profile and its weight, a whole number from 1 on."""

    profile: str
    weight: int


def split_order(
    candidates: Sequence[Weighted], *, purpose: str, run_id: str
) -> tuple[Weighted, ...]:
    """The candidates by rising cost: the first one serves the run. Equal costs keep their order."""
    return tuple(
        sorted(candidates, key=lambda c: cost(c, purpose=purpose, run_id=run_id)),
    )


def cost(candidate: Weighted, *, purpose: str, run_id: str) -> float:
    """`-ln(u) / weight`: an exponential draw whose rate is the weight, so shares are the weights.

    `u` lies in (0, 1].
    """
    digest = hashlib.sha256(message(purpose, run_id, candidate.profile)).digest()
    top = int.from_bytes(digest[:8], "big") >> (64 - _BITS)
    return -math.log((top + 1) / 2**_BITS) / candidate.weight


def message(*parts: str) -> bytes:
    """The hashed message: each part as its length in bytes (4, big-endian) and its UTF-8."""
    out = bytearray()
    for part in (DOMAIN, *parts):
        raw = part.encode()
        out += len(raw).to_bytes(4, "big") + raw
    return bytes(out)


def share(candidate: Weighted, candidates: Sequence[Weighted]) -> float:
    """The share of runs that `candidate` serves first, 0 to 1."""
    return candidate.weight / sum(c.weight for c in candidates)
