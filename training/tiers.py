"""Picks of the built-in tiers on labelled requests, by labelled effort.

    python -m training.tiers --data FOLDER

The labelled requests are training data of the reader: its own estimates of them are optimistic.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.core.model import CatalogModel, EngineQuery, Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.readers import DefaultReader, RequestEstimate
from pointsman_server.policies.loader import load

STATIC_PICK = "anthropic/claude-opus-4.8"
"""The static pick of the frontier tier, and its strongest candidate."""

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A request's labelled effort, its length, and the reader's estimate."""

    effort: int
    chars: int
    estimate: RequestEstimate


def picks(
    labelled: Iterable[Labelled], *, tier: Tier, policy: PolicyFile
) -> dict[int, Counter[str]]:
    """Count the picked models (public ids) by labelled effort."""
    candidates = tuple(policy.catalog[name] for name in tier.default_candidates)
    rule, loss = EffortRule(), policy.local.quality_loss[tier.policy]
    found: dict[int, Counter[str]] = {level: Counter() for level in LEVELS}
    for each in labelled:
        query = _query(each, candidates=candidates, tier=tier)
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


def _query(each: Labelled, *, candidates: tuple[CatalogModel, ...], tier: Tier) -> EngineQuery:
    return EngineQuery(
        prompt="x" * each.chars, candidates=candidates, policy=tier.policy, default=candidates[0]
    )


def _labelled(data: Path) -> Iterator[Labelled]:
    reader = DefaultReader.load()
    with gzip.open(data / "requests" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row["text"]
            yield Labelled(effort=row["effort"], chars=len(text), estimate=reader.read(text))


def _rows(found: Mapping[int, Counter[str]], models: Sequence[str]) -> Iterator[str]:
    for level in LEVELS:
        total = max(found[level].total(), 1)
        shares = " | ".join(f"{found[level][model] / total:.0%}" for model in models)
        yield f"| {level} | {shares} |"


def main() -> None:
    """Print a table for each built-in tier."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    policy, labelled = load(None).policy_file, list(_labelled(parser.parse_args().data))
    for name in ("kilo-auto/frontier", "kilo-auto/balanced", "kilo-auto/small"):
        tier = policy.tiers[name]
        found = picks(labelled, tier=tier, policy=policy)
        models = [m for m in tier.default_candidates if any(found[level][m] for level in LEVELS)]
        print(f"\n{name}\n\n| effort | {' | '.join(models)} |")
        print("|---" * (len(models) + 1) + "|")
        print("\n".join(_rows(found, models)))
        if STATIC_PICK in tier.default_candidates:
            print(f"\nlight, cheaper than the static pick: {passed(found, policy=policy):.3f}")
            print(f"heavy, strongest: {confirmed(found):.3f}")


if __name__ == "__main__":
    main()
