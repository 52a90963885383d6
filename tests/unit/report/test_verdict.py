from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.report.grouped import Interval
from pointsman_server.report.verdict import Basis, judged, money

LESS, MORE, BOTH = (-2.5, -3, -2), (2.5, 2, 3), (-1, -3, 1)
MANY = {"lines": 5_000, "effective_lines": 5_000.0, "groups": 400, "effective_groups": 400.0}
SOME = MANY | {"groups": 200, "effective_groups": 200.0}
COST = "per thousand requests, router included"
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
    f"Serving would cost the same {COST}: all 5,000 lines are alike, and up to 1.0% of others may"
    " not be (95 %).": ("same", 0, MANY),
    f"Serving would cost $2.00 less {COST}: all 5,000 lines are alike, and up to 1.0% of others may"
    " not be (95 %).": ("less", -2, MANY),
    f"Serving would cost $2.00 more {COST}: all 5,000 lines are alike, and up to 1.0% of others may"
    " not be (95 %).": ("more", 2, MANY),
    f"Not clear yet: of the sampled decisions each costs the same {COST}, but all 5,000 lines are"
    " alike, and up to 1.9% of others may not be (95 %): at most 1% is needed.": (
        "unclear", 0, SOME,
    ),
    f"Not clear yet: of the sampled decisions each costs $2.00 more {COST}, but all 5,000 lines are"
    " alike, and up to 1.9% of others may not be (95 %): at most 1% is needed.": (
        "unclear", 2, SOME,
    ),
    "Too few decisions to say: 99 sampled, at least 100 are needed.": (
        "too_few", 0, {"lines": 99, "effective_lines": 99.0},
    ),
    "Too few decisions to say: 0 sampled, at least 100 are needed.": (
        "too_few", 0, {"lines": 0, "effective_lines": 0.0, "groups": 0, "effective_groups": 0.0},
    ),
    "Too few decisions to say: 5,000 sampled, by their weights no more than 99 (effective number);"
    " at least 100 are needed.": ("too_few", 0, {"lines": 5_000, "effective_lines": 99.99}),
    "Too few conversations to say: 29, at least 30 are needed.": (
        "too_few", 0, MANY | {"groups": 29, "effective_groups": 29.0},
    ),
    "Too few conversations to say: 400, by their weights no more than 29 (effective number); at"
    " least 30 are needed.": ("too_few", 0, MANY | {"effective_groups": 29.9}),
    "Too few conversations to say: 3, at least 30 are needed. Session ids are missing in 80.0% of"
    " decisions: those of a user count as one conversation.": (
        "too_few", 0, MANY | {"groups": 3, "effective_groups": 3.0, "no_session": 0.8},
    ),
    "No prices: the policy file has none for a decision.": (
        "no_prices", 0, {"lines": 0, "effective_lines": 0.0, "no_price": 1.0},
    ),
    "Serving would cost $2.50 less per thousand requests (95 %: $2.00 to $3.00), router included."
    " Counting only the 92.8% of decisions that have prices.": ("less", LESS, {"no_price": 0.072}),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_the_verdict_is(text: str) -> None:
    says, difference, changes = CASES[text]
    sums: Any = {"lines": 100, "effective_lines": 100.0, "groups": 30, "effective_groups": 30.0}
    interval, mean = None, difference
    if isinstance(difference, tuple):
        mean, low, high = difference
        interval = Interval(value=mean, low=low, high=high)
    sums |= {"mean": mean, "alike": interval is None, "no_price": 0.0, "no_session": 0.0}
    found = judged(Basis(interval=interval, **(sums | changes)))
    assert (found.says, found.text) == (says, text)


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.0042, "$0.0042"), (-0.05, "-$0.0500"), (-1234.567, "-$1,234.57")],
)
def test_money_is_told_in_dollars_and_what_is_small_in_more_digits(
    dollars: float, text: str
) -> None:
    assert money(dollars) == text
