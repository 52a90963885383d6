"""Picks of the built-in tiers on labelled requests, by labelled effort.

    python -m training.tiers --data FOLDER [--reader semantic] [--held WORK]

The labelled requests are training data of the reader: its own estimates of them are optimistic.
`--held` takes those of the readers that had not seen a request's source, from the logits that
`training.effort.train` left in its work folder.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pointsman_server.core.model import EngineQuery, Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.readers import DefaultReader, RequestEstimate, RequestReader
from pointsman_server.engines.local.readers.calibration import Calibration
from pointsman_server.engines.local.readers.semantic import SemanticReader
from pointsman_server.policies.loader import load

from training.effort.evaluate import headers
from training.effort.rows import labelled

STATIC_PICK = "anthropic/claude-opus-4.8"
"""The static pick of the frontier tier, and its strongest candidate."""

TIERS = ("kilo-auto/frontier", "kilo-auto/balanced", "kilo-auto/small")

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A request's labelled effort, its length, and the reader's estimate."""

    effort: int
    chars: int
    estimate: RequestEstimate


def picks(
    requests: Iterable[Labelled], *, tier: Tier, policy: PolicyFile
) -> dict[int, Counter[str]]:
    """Count the picked models (public ids) by labelled effort."""
    rule, loss = EffortRule(), policy.local.quality_loss[tier.policy]
    found: dict[int, Counter[str]] = {level: Counter() for level in LEVELS}
    for each in requests:
        query = request_of(each.chars, tier=tier, policy=policy)
        choice = rule.decide(query, each.estimate, loss=loss)
        found[each.effort][choice.chosen.model.public_id] += 1
    return found


def passed(found: Mapping[int, Counter[str]], *, policy: PolicyFile) -> float:
    """Give the share of light requests (1 and 2) that cost less than the static pick."""
    price = policy.catalog[STATIC_PICK].output_price or 0.0
    light = found[1] + found[2]
    cheaper = sum(n for m, n in light.items() if (policy.catalog[m].output_price or 0.0) < price)
    return cheaper / light.total()


def confirmed(found: Mapping[int, Counter[str]]) -> float:
    """Give the share of heavy requests (4 and 5) that the strongest candidate gets."""
    heavy = found[4] + found[5]
    return heavy[STATIC_PICK] / heavy.total()


def request_of(chars: int, *, tier: Tier, policy: PolicyFile) -> EngineQuery:
    """Build the question that a tier asks about a request of `chars` characters."""
    candidates = tuple(policy.catalog[name] for name in tier.default_candidates)
    return EngineQuery(
        prompt="x" * chars, candidates=candidates, policy=tier.policy, default=candidates[0]
    )


def reader_of(name: str) -> RequestReader:
    """Load the shipped reader of that name: `default` or `semantic`."""
    default = DefaultReader.load()
    return default if name == "default" else SemanticReader.load(default)


def _labelled(data: Path, reader: RequestReader) -> Iterator[Labelled]:
    for row in labelled(data):
        yield Labelled(effort=row.effort, chars=len(row.text), estimate=reader.read(row.text))


def _held(data: Path, name: str, work: Path) -> Iterator[Labelled]:
    calibration = Calibration.of(headers()[f"{name} reader"]["calibration"])
    rows = {row.id: row for row in labelled(data)}
    with np.load(work / f"held-{name}.npz", allow_pickle=False) as stored:
        for at, logits in zip(stored["ids"].tolist(), stored["logits"].tolist(), strict=True):
            row = rows[at]
            yield Labelled(
                effort=row.effort, chars=len(row.text), estimate=calibration.estimate(logits)
            )


def _rows(found: Mapping[int, Counter[str]], models: Sequence[str]) -> Iterator[str]:
    for level in LEVELS:
        total = max(found[level].total(), 1)
        shares = " | ".join(f"{found[level][model] / total:.0%}" for model in models)
        yield f"| {level} | {shares} |"


def main() -> None:
    """Print a table for each built-in tier."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reader", choices=("default", "semantic"), default="default")
    parser.add_argument("--held", type=Path, help="the work folder of training")
    arguments = parser.parse_args()
    name, policy = arguments.reader, load(None).policy_file
    if arguments.held is None:
        requests = list(_labelled(arguments.data, reader_of(name)))
    else:
        requests = list(_held(arguments.data, name, arguments.held))
    for tier_name in TIERS:
        tier = policy.tiers[tier_name]
        found = picks(requests, tier=tier, policy=policy)
        models = [m for m in tier.default_candidates if any(found[level][m] for level in LEVELS)]
        print(f"\n{tier_name}\n\n| effort | {' | '.join(models)} |")
        print("|---" * (len(models) + 1) + "|")
        print("\n".join(_rows(found, models)))
        if STATIC_PICK in tier.default_candidates:
            print(f"\nlight, cheaper than the static pick: {passed(found, policy=policy):.3f}")
            print(f"heavy, strongest: {confirmed(found):.3f}")


if __name__ == "__main__":
    main()
