"""Dollars of one request: a case a line, worked out by hand.

Opus costs 5 and 25 dollars a million tokens, Haiku 1 and 5. 1,000 tokens in and 500 out are 17.5
and 3.5 thousandths of a dollar.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import CatalogModel, Reason, Source
from pointsman_server.report.line import parse
from pointsman_server.report.prices import Assumptions, Prices, RequestCost
from support.log_lines import CATALOG, HAIKU, decided, raw
from support.records import OPUS, failed, skipped

FLAT = Assumptions(input_tokens=1_000)


def cost(record: DecisionRecord, assumed: Assumptions = FLAT) -> RequestCost | None:
    line = parse(raw(record))
    assert line is not None
    unpriced = {"half": CatalogModel(public_id="half", input_price=1.0)}
    return Prices(CATALOG | unpriced, assumed=assumed).of(line)


MORPH = Source.MORPH
HELD = {"reason": Reason.CONCRETE_MODEL_REQUESTED}
CASES = {
    # static, decided, served, router, in thousandths of a dollar
    "a cheaper model": (decided(), 17.5, 3.5, 17.5, 0),
    "as it is served": (decided(served_model=HAIKU), 17.5, 3.5, 3.5, 0),
    "the static pick": (decided(OPUS), 17.5, 17.5, 17.5, 0),
    "a dearer model": (decided(OPUS, static_pick=HAIKU), 3.5, 17.5, 17.5, 0),
    "by Morph": (decided(source=MORPH), 17.5, 3.5, 17.5, 5),
    "by Morph, kept": (decided(source=MORPH, cached=True), 17.5, 3.5, 17.5, 0),
    "by Morph, held back": (decided(source=MORPH, outcome=HELD), 17.5, 17.5, 17.5, 5),
    "a skip": (skipped(), 17.5, 17.5, 17.5, 0),
    "no engine answered": (failed(), 17.5, 17.5, 17.5, 0),
}


@pytest.mark.parametrize(
    ("record", "static", "choice", "served", "router"), CASES.values(), ids=CASES
)
def test_a_request_costs(
    record: DecisionRecord, static: float, choice: float, served: float, router: float
) -> None:
    found = cost(record)
    assert found is not None
    dollars = (found.static, found.decided, found.served, found.router)
    assert [1_000 * each for each in dollars] == pytest.approx([static, choice, served, router])
    assert 1_000 * found.difference == pytest.approx(choice + router - static)


UNPRICED = {
    "no static pick": (
        replace(skipped(), static_pick=None, served_model=None), {"(none)"},
    ),
    "a static pick that is unlisted": (decided(static_pick="unlisted"), {"unlisted"}),
    "a decision without an output price": (decided("half"), {"half"}),
    "neither of two": (decided("half", static_pick="unlisted"), {"half", "unlisted"}),
}  # fmt: skip


@pytest.mark.parametrize(("record", "models"), UNPRICED.values(), ids=UNPRICED)
def test_without_prices_for_both_the_models_without_one_are_told(
    record: DecisionRecord, models: set[str]
) -> None:
    assert cost(record) == models


@pytest.mark.parametrize(
    ("sizes", "given", "tokens"),
    [
        ({"body_bytes": 9_000, "prompt_chars": 400}, None, 2_250),
        ({"body_bytes": 0, "prompt_chars": 400}, None, 2_000),
        ({"body_bytes": 8_000, "prompt_chars": 400}, 30.0, 30),
        ({"body_bytes": 8_000, "prompt_chars": 400}, 0.0, 0),
    ],
)
def test_input_tokens_are_those_given_else_of_the_body_else_a_fixed_number(
    sizes: dict[str, int], given: float | None, tokens: float
) -> None:
    found = cost(decided(**sizes), Assumptions(input_tokens=given))
    assert found is not None
    assert found.input_tokens == tokens


def test_output_tokens_and_the_routers_price_are_assumed() -> None:
    assumed = Assumptions(input_tokens=0, output_tokens=1_000_000, router_price=2_000)
    found = cost(decided(source=MORPH), assumed)
    assert found is not None
    assert (found.static, found.decided, found.router) == (25, 5, 2)


def test_a_decision_model_has_a_price_of_its_own() -> None:
    assert Assumptions(router_price=5.0).router_prices == {"morph": 5.0, "local": 0.0}
    assumed = Assumptions(router_price=5.0, decision_model_price=0.4)
    assert assumed.router_prices == {"morph": 5.0, "local": 0.0, "decision_model": 0.4}
