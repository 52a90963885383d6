"""The README's examples of picks are what the embedded engine picks."""

from __future__ import annotations

import re

import pytest
from docs.parts.page_run import ROOT
from pointsman_server.core.model import EngineQuery
from pointsman_server.engines.local import LocalEngine
from pointsman_server.policies.config import PolicyConfig

TABLE = re.search(r"^\| request .*(?:\n\|.*)*", (ROOT / "README.md").read_text(), re.MULTILINE)
HEAD, _, *ROWS = (line.strip("| ").split(" | ") for line in TABLE[0].splitlines())
EXAMPLES = [
    (request, difficulty, tier.removeprefix("tier "), pick)
    for request, difficulty, *picks in ROWS
    for tier, pick in zip(HEAD[2:], picks, strict=True)
]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine.load(PolicyConfig(None).load().policy_file.local)


def test_there_are_examples() -> None:
    assert HEAD == ["request", "difficulty", "tier frontier", "tier balanced"]
    assert {difficulty for _, difficulty, *_ in EXAMPLES} == {"easy", "medium", "hard"}


@pytest.mark.parametrize(("request_text", "difficulty", "tier", "pick"), EXAMPLES)
def test_an_example_is_picked_as_the_readme_says(
    engine: LocalEngine, request_text: str, difficulty: str, tier: str, pick: str
) -> None:
    rules = PolicyConfig(None).load().policy_file
    found = rules.tiers[f"kilo-auto/{tier}"]
    candidates = tuple(rules.catalog[name] for name in found.default_candidates)
    query = EngineQuery(
        prompt=request_text, candidates=candidates, policy=found.policy, default=candidates[0]
    )
    judgement = engine.judge(query)
    assert judgement.labels.difficulty == difficulty
    name = judgement.chosen.model.public_id.partition("/")[2].partition(":")[0]
    assert name.removesuffix("-preview") == pick.lower().replace(" ", "-")
