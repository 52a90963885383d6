"""A reload's log line: what changed, from what to what."""

from __future__ import annotations

import pytest
from pointsman_server.policies.changes import MOST, changes, sections, summary
from pointsman_server.policies.schema import parse

BASE = """
mode: shadow
tiers: {small: {policy: balanced}}
catalog:
  a/one: {router_id: one, input_price: 1}
  a/two: {router_id: two}
engines: {order: [local]}
llm: {provider: p, model: m, headers: {x-team: secret-team}}
"""


def between(old: str, new: str) -> tuple[str, ...]:
    assert old in BASE
    return changes(
        parse(BASE.encode(), environment={}).policy_file,
        parse(BASE.replace(old, new).encode(), environment={}).policy_file,
    )


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("", "", ()),
        ("mode: shadow", "mode: serve", ("mode: shadow -> serve",)),
        ("mode: shadow", "mode: shadow\nserve_percent: 5", ("serve_percent: 100 -> 5",)),
        ("input_price: 1", "input_price: 2", ("catalog.a/one.input_price: 1 -> 2",)),
        (", input_price: 1", "", ("catalog.a/one.input_price: 1 -> unset",)),
        ("  a/two: {router_id: two}\n", "", ("catalog.a/two: removed",)),
        ("[local]}", "[morph, local]}", ("engines: [local] -> [morph, local]",)),
        (
            "policy: balanced",
            "policy: cost_efficient",
            ("tiers.small.policy: balanced -> cost_efficient",),
        ),
        (
            "engines:",
            "cache: {ttl: 5m}\nengines:",
            ("cache.ttl: 1800 -> 300",),
        ),
    ],
)
def test_each_changed_value_is_named_with_both(old: str, new: str, lines: tuple[str, ...]) -> None:
    assert between(old, new) == lines


def test_values_that_may_be_private_are_withheld() -> None:
    told = summary(between("secret-team", "other-team"))
    assert "x-team: changed" in told
    assert "team:" not in told.replace("x-team:", "")
    assert "secret-team" not in told


def test_a_long_list_is_cut_and_counted() -> None:
    more = "".join(f"  b/{n}: {{router_id: r{n}}}\n" for n in range(2 * MOST))
    found = between("engines:", f"  b/x: {{router_id: x}}\n{more}engines:")
    assert len(found) == 2 * MOST + 1
    assert summary(found).endswith(f"; and {MOST + 1} more")
    assert sections(found) == {"catalog"}
