"""The split: its definition, its shares, and how little a change of it moves."""

from __future__ import annotations

import hashlib
import json
import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.core.weighted_split import Weighted, cost, message, share, split_order

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "docs" / "split-vectors.json").read_text(encoding="utf-8"))["rows"]
RUNS = [f"run-{n}" for n in range(100_000)]

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
splits = st.dictionaries(texts, st.integers(1, 1_000_000), min_size=1, max_size=6).map(
    lambda weights: [Weighted(profile=p, weight=w) for p, w in weights.items()]
)


def split(**weights: int) -> list[Weighted]:
    return [Weighted(profile=p, weight=w) for p, w in weights.items()]


def firsts(candidates: list[Weighted], runs: list[str] = RUNS) -> list[str]:
    return [split_order(candidates, purpose="main_loop", run_id=r)[0].profile for r in runs]


def shares(candidates: list[Weighted]) -> dict[str, float]:
    return {c.profile: share(c, candidates) for c in candidates}


def test_the_hash_is_of_lengths_and_bytes() -> None:
    parts = ("pointsman.split.v1", "plan_create", "läuft", "p")

    spelled = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)

    assert message(*parts[1:]) == spelled
    assert message("a", "bc", "d") != message("ab", "c", "d")


def test_the_cost_is_as_defined() -> None:
    digest = hashlib.sha256(message("plan_create", "r-1", "cheap")).digest()
    u = ((int.from_bytes(digest, "big") >> (256 - 53)) + 1) / 2**53

    found = cost(Weighted(profile="cheap", weight=3), purpose="plan_create", run_id="r-1")

    assert 0 < u <= 1
    assert found == -math.log(u) / 3


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["run_id"])
def test_a_published_row_comes_out(row: dict[str, object]) -> None:
    candidates = [Weighted(**c) for c in row["candidates"]]  # type: ignore[attr-defined]

    order = split_order(candidates, purpose=str(row["purpose"]), run_id=str(row["run_id"]))

    assert [c.profile for c in order] == row["order"]


def test_the_published_rows_are_200_and_of_every_kind() -> None:
    assert len(VECTORS) == 200
    assert {len(row["candidates"]) for row in VECTORS} == {1, 2, 3, 4, 5, 6}
    assert len({row["purpose"] for row in VECTORS}) > 5
    assert any(not row["run_id"].isascii() for row in VECTORS)


def test_the_published_rows_are_those_that_the_tool_writes() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tools')\n"
        "import split_vectors\n"
        "sys.stdout.reconfigure(encoding='utf-8')\n"
        "print(split_vectors.document(), end='')"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT,
        encoding="utf-8",
    )  # fmt: skip

    assert run.stdout == (ROOT / "docs" / "split-vectors.json").read_text(encoding="utf-8")


@given(candidates=splits, purpose=texts, run_id=texts)
def test_the_order_is_the_same_on_every_call_and_holds_each_once(
    candidates: list[Weighted], purpose: str, run_id: str
) -> None:
    order = split_order(candidates, purpose=purpose, run_id=run_id)

    assert order == split_order(candidates, purpose=purpose, run_id=run_id)
    assert sorted(order, key=repr) == sorted(candidates, key=repr)


@given(candidates=splits, run_id=texts, seed=st.integers())
def test_the_order_does_not_depend_on_that_of_the_file(
    candidates: list[Weighted], run_id: str, seed: int
) -> None:
    shuffled = random.Random(seed).sample(candidates, len(candidates))
    costs = {cost(c, purpose="p", run_id=run_id) for c in candidates}

    if len(costs) == len(candidates):
        assert split_order(candidates, purpose="p", run_id=run_id) == split_order(
            shuffled, purpose="p", run_id=run_id
        )


def test_equal_costs_keep_the_order_of_the_file() -> None:
    one, other = Weighted(profile="same", weight=1), Weighted(profile="same", weight=1)

    first, second = split_order([one, other], purpose="p", run_id="r")

    assert first is one
    assert second is other


def test_the_order_is_the_same_in_another_process_with_another_hash_seed() -> None:
    program = (
        "from pointsman_server.core.weighted_split import *\n"
        "c = [Weighted(profile=p, weight=w) for p, w in (('a', 1), ('b', 2), ('c', 3))]\n"
        "print([[x.profile for x in split_order(c, purpose='p', run_id=f'r{n}')]"
        " for n in range(50)])"
    )
    mine = [
        [x.profile for x in split_order(split(a=1, b=2, c=3), purpose="p", run_id=f"r{n}")]
        for n in range(50)
    ]

    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert run.stdout.strip() == repr(mine)


@pytest.mark.parametrize(
    "weights",
    [
        {"default": 1, "cheap": 1},
        {"default": 1, "default_apple": 1, "default_banana": 1},
        {"a": 1, "b": 9},
        {"a": 5, "b": 3, "c": 2},
        {"a": 99, "b": 1},
        {"a": 1_000_000, "b": 500_000, "c": 500_000, "d": 250_000},
    ],
    ids=repr,
)
def test_shares_are_the_weights_within_one_percent_over_100_000_runs(
    weights: dict[str, int],
) -> None:
    candidates = split(**weights)
    counted = Counter(firsts(candidates))

    for profile, expected in shares(candidates).items():
        assert abs(counted[profile] / len(RUNS) - expected) < 0.01


def test_purposes_are_split_independently_of_each_other() -> None:
    candidates = split(a=1, b=1)
    main = firsts(candidates, RUNS[:20_000])
    plan = [split_order(candidates, purpose="plan", run_id=r)[0].profile for r in RUNS[:20_000]]

    same = sum(x == y for x, y in zip(main, plan, strict=True)) / len(plan)

    assert abs(same - 0.5) < 0.02


CHANGES = [
    ("added", {"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}),
    ("added with little weight", {"a": 50, "b": 49}, {"a": 50, "b": 49, "c": 1}),
    ("removed", {"a": 2, "b": 1, "c": 1}, {"a": 2, "b": 1}),
    ("given more weight", {"a": 1, "b": 1, "c": 1}, {"a": 4, "b": 1, "c": 1}),
    ("given less weight", {"a": 4, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}),
    ("all multiplied", {"a": 1, "b": 2}, {"a": 10, "b": 20}),
]


@pytest.mark.parametrize(("what", "before", "after"), CHANGES, ids=[c[0] for c in CHANGES])
def test_a_change_moves_no_more_runs_than_it_must(
    what: str, before: dict[str, int], after: dict[str, int]
) -> None:
    """The least that any split can move is what the shares differ by."""
    old, new = split(**before), split(**after)
    was, will = shares(old), shares(new)
    least = sum(max(0.0, will.get(p, 0) - was.get(p, 0)) for p in was.keys() | will.keys())
    pairs = list(zip(firsts(old), firsts(new), strict=True))

    moved = sum(x != y for x, y in pairs) / len(pairs)

    assert abs(moved - least) < 0.005


@settings(max_examples=200)
@given(candidates=splits, run_id=texts, weight=st.integers(1, 1_000_000), at=st.integers(0, 5))
def test_a_run_moves_only_to_or_from_the_profile_that_changed(
    candidates: list[Weighted], run_id: str, weight: int, at: int
) -> None:
    changed = candidates[at % len(candidates)]
    others = [c for c in candidates if c is not changed]
    heavier = [*others, Weighted(profile=changed.profile, weight=weight)]
    [before, *_] = split_order(candidates, purpose="p", run_id=run_id)
    [after, *_] = split_order(heavier, purpose="p", run_id=run_id)

    if before.profile != after.profile:
        assert changed.profile in {before.profile, after.profile}
        gained = weight > changed.weight
        assert (after if gained else before).profile == changed.profile
    if others:
        [without, *_] = split_order(others, purpose="p", run_id=run_id)
        assert before.profile in {without.profile, changed.profile}
