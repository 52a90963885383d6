"""Writes the test vectors of the split, `docs/split-vectors.json`.

The rows follow from a counter through SHA-256, so that a second run writes the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pointsman_server.core.weighted_split import DOMAIN, Weighted, cost, split_order

FILE = Path(__file__).resolve().parents[1] / "docs" / "split-vectors.json"
ROWS = 200
TURNED = 5
CLEAR = 1e-9
"""Costs in a row differ by more than this, relatively: no logarithm's last digit decides."""

PURPOSES = ("main_loop", "addressing", "heartbeat", "plan_create", "memory_draft", "prüfen", "审查")
PROFILES = (
    "default", "cheap", "reasoning", "default_apple", "default_banana", "eu-west", "größer", "深度",
)  # fmt: skip
RUN_IDS = (
    "r-{}", "run:{}", "{}", "2026-11-22T10:00:00Z/{}", "läuft-{}", "运行-{}", "🚂{}",
    "with a space {}", '"quoted" {}', "018f4f2e-6a3c-7c1d-9b7e-{:012d}",
)  # fmt: skip


class Draws:
    """Numbers that follow from a counter."""

    def __init__(self) -> None:
        self._count = 0

    def below(self, end: int) -> int:
        """A number from 0 to `end` - 1."""
        self._count += 1
        digest = hashlib.sha256(f"split-vectors {self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % end


def rows() -> Iterator[dict[str, Any]]:
    """The rows; every fifth is the one before it with its candidates turned around."""
    draws = Draws()
    done: list[dict[str, Any]] = []
    while len(done) < ROWS:
        if len(done) % TURNED == TURNED - 1:
            before = done[-1]
            turned = [Weighted(**c) for c in reversed(before["candidates"])]
            found = row(before["purpose"], before["run_id"], turned)
        else:
            found = drawn(draws)
        if found is not None:
            done.append(found)
            yield found


def drawn(draws: Draws) -> dict[str, Any] | None:
    """A row of 1 to 6 candidates; `None` where two costs come too close."""
    names = list(PROFILES)
    candidates = []
    for _ in range(1 + draws.below(6)):
        name = names.pop(draws.below(len(names)))
        weight = (1, 1 + draws.below(9), 1 + draws.below(100), 1 + draws.below(1_000_000))
        candidates.append(Weighted(profile=name, weight=weight[draws.below(4)]))
    purpose = PURPOSES[draws.below(len(PURPOSES))]
    run_id = RUN_IDS[draws.below(len(RUN_IDS))].format(draws.below(1_000_000))
    return row(purpose, run_id, candidates)


def row(purpose: str, run_id: str, candidates: list[Weighted]) -> dict[str, Any] | None:
    """Inputs and expected outputs."""
    order = split_order(candidates, purpose=purpose, run_id=run_id)
    costs = [cost(c, purpose=purpose, run_id=run_id) for c in order]
    if any(b - a <= CLEAR * b for a, b in pairwise(costs)):
        return None
    chosen = order[0].profile
    return {
        "purpose": purpose,
        "run_id": run_id,
        "candidates": [{"profile": c.profile, "weight": c.weight} for c in candidates],
        "order": [c.profile for c in order],
        "attempts": [chosen, *(c.profile for c in candidates if c.profile != chosen)],
    }


def document() -> str:
    """The file: one line a row."""
    lines = ",\n".join(f"    {json.dumps(r, ensure_ascii=False)}" for r in rows())
    head = f'{{\n  "definition": "docs/routes.md",\n  "domain": "{DOMAIN}",\n  "rows": [\n'
    return f"{head}{lines}\n  ]\n}}\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
