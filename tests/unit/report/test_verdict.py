from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.report.grouped import Interval
from pointsman_server.report.verdict import judged, money

LESS, MORE, BOTH, NONE = (-2.5, -3, -2), (2.5, 2, 3), (-1, -3, 1), (0, 0, 0)
CASES = {
    "Serving would cost $2.50 less per thousand requests (95 %: $2.00 to $3.00), router"
    " included.": (
        "less", LESS, {},
    ),
    "Serving would cost $2.50 more per thousand requests (95 %: $2.00 to $3.00), router"
    " included.": (
        "more", MORE, {},
    ),
    "Not clear yet: serving would cost between $3.00 less and $1.00 more per thousand requests"
    " (95 %), router included.": ("unclear", BOTH, {}),
    "Serving would cost the same: no drawn decision costs less or more, router included.": (
        "same", NONE, {},
    ),
    "Too few decisions to say: 99 drawn, at least 100 are needed.": (
        "too_few", LESS, {"lines": 99},
    ),
    "Too few decisions to say: 0 drawn, at least 100 are needed.": (
        "too_few", None, {"lines": 0, "groups": 0},
    ),
    "Too few conversations to say: 29, at least 30 are needed.": (
        "too_few", None, {"lines": 5_000, "groups": 29},
    ),
    "No prices: the policy file has none for a decision.": (
        "no_prices", None, {"lines": 0, "groups": 0, "no_price": 1.0},
    ),
    "Serving would cost $2.50 less per thousand requests (95 %: $2.00 to $3.00), router included."
    " Of the 92.8% of decisions that have prices.": ("less", LESS, {"no_price": 0.072}),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_the_verdict_is(text: str) -> None:
    says, difference, changes = CASES[text]
    interval = None
    if difference is not None:
        interval = Interval(value=difference[0], low=difference[1], high=difference[2])
    sums: Any = {"lines": 100, "groups": 30, "no_price": 0.0} | changes
    found = judged(interval, **sums)
    assert (found.says, found.text) == (says, text)


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.0042, "$0.0042"), (-0.05, "-$0.0500"), (-1234.567, "-$1,234.57")],
)
def test_money_is_told_in_dollars_and_what_is_small_in_more_digits(
    dollars: float, text: str
) -> None:
    assert money(dollars) == text
