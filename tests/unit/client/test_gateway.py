"""What a gateway settles before it asks, on the cases of tests/data/normalise_cases.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pointsman_client import ApiKind, plan_mirror, routing_from, usable_id

DATA = json.loads(
    (Path(__file__).parents[2] / "data" / "normalise_cases.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", DATA["gateway"], ids=lambda case: str(case["name"]))
def test_a_request_is_mirrored_as_the_case_says(case: dict[str, Any]) -> None:
    given, expect = dict(case["given"]), case["expect"]
    body = {
        "model": given["requested_model"],
        "messages": given.pop("messages", [{"role": "user", "content": "Hi"}]),
        "provider": given.pop("provider", None),
    }
    routing = routing_from(
        given.pop("requested_model"),
        tiers=DATA["tiers"],
        static_pick=given.pop("static_pick", None),
    )
    plan = plan_mirror(body, ApiKind.CHAT_COMPLETIONS, routing=routing, user_id="u", **given)

    assert plan.mirrored is expect["mirrored"]
    assert plan.skip == expect.get("skip")
    if plan.request is None:
        return
    assert plan.request.prompt.user_prompt_prefix == "Hi"
    if expect.get("routing"):
        assert plan.request.tier == expect["routing"]["tier"]
        assert plan.request.candidates == tuple(expect["routing"]["candidates"])
        assert plan.request.static_pick == expect["routing"]["static_pick"]
    elif "routing" in expect:
        assert (plan.request.tier, plan.request.candidates) == (None, ())
    if "data_policy" in expect:
        assert plan.request.effective_data_policy() == expect["data_policy"]
    assert plan.request.organization_id == expect.get("organization_id")


def test_a_concrete_model_has_no_routing() -> None:
    assert routing_from("openai/gpt-5.5", tiers=DATA["tiers"]) is None


def test_the_static_pick_stays_as_the_gateway_spells_it() -> None:
    routing = routing_from("KILO-AUTO/FREE", tiers=DATA["tiers"], static_pick="Vendor/A")
    assert routing is not None
    assert (routing.tier, routing.static_pick) == ("kilo-auto/free", "Vendor/A")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (" user-1 ", "user-1"),
        ("x" * 256, "x" * 256),
        ("x" * 257, None),
        (" \t", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_an_id_is_usable_if_the_service_takes_it(value: object, found: str | None) -> None:
    assert usable_id(value) == found
