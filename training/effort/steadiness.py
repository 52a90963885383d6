"""Labels and picks under harmless changes: `python -m training.effort.steadiness --data DIR`.

Every twentieth labelled request is changed in each way of `readers.robustness`. The requests are
training data: a changed one is not, and whether its label is right plays no part here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pointsman_server.core.model import Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.readers import RequestEstimate
from pointsman_server.engines.local.readers.robustness import HARMLESS, TRIGGERS
from pointsman_server.policies.loader import load

from training.effort.rows import labelled
from training.tiers import TIERS, reader_of, request_of

EVERY: Final = 20
Picks = list[tuple[str, ...]]
"""For each request its label and the pick of each tier."""


def main() -> None:
    """Print the share of requests whose label or pick each change flips, the worst ones first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reader", choices=("default", "semantic"), default="default")
    arguments = parser.parse_args()
    reader, policy = reader_of(arguments.reader), load(None).policy_file
    tiers = [policy.tiers[name] for name in TIERS]
    texts = [row.text for row in labelled(arguments.data)][::EVERY]

    def decided(texts: Sequence[str]) -> Picks:
        return [_decided(reader.read(text), len(text), tiers, policy) for text in texts]

    before = decided(texts)
    print(f"{len(texts)} requests; columns: label, {', '.join(TIERS)}\n\nflipped by")
    changes = {name: [change(text) for text in texts] for name, change in HARMLESS.items()}
    _print({name: _flipped(before, decided(changed)) for name, changed in changes.items()})
    print("\nflipped by, before or after the request")
    words = {each: [_with(each, text, at) for at, text in enumerate(texts)] for each in TRIGGERS}
    _print({each: _flipped(before, decided(changed)) for each, changed in words.items()})


def _with(words: str, text: str, at: int) -> str:
    return f"{words}\n\n{text}" if at % 2 else f"{text}\n\n{words}"


def _decided(
    estimate: RequestEstimate, chars: int, tiers: Sequence[Tier], policy: PolicyFile
) -> tuple[str, ...]:
    rule = EffortRule()
    picks = []
    for tier in tiers:
        query = request_of(chars, tier=tier, policy=policy)
        loss = policy.local.quality_loss[tier.policy]
        picks.append(rule.decide(query, estimate, loss=loss).chosen.model.public_id)
    return (estimate.difficulty, *picks)


def _flipped(before: Picks, after: Picks) -> list[float]:
    """The share of requests with another value in each column."""
    columns = range(len(before[0]))
    pairs = list(zip(before, after, strict=True))
    return [sum(old[at] != new[at] for old, new in pairs) / len(pairs) for at in columns]


def _print(rates: dict[str, list[float]]) -> None:
    mean = [sum(column) / len(rates) for column in zip(*rates.values(), strict=True)]
    ordered = sorted(rates.items(), key=lambda item: -max(item[1]))
    for name, shares in [("on average", mean), *ordered]:
        print(f"  {name[:60]:60s}" + "".join(f"{share:8.3f}" for share in shares))


if __name__ == "__main__":
    main()
