"""Whether serving would cost less or more, in plain words, or why that cannot be said."""

from __future__ import annotations

from typing import Final

from pointsman_server.report.figures import Says, Verdict
from pointsman_server.report.grouped import FEWEST_GROUPS, Interval

FEWEST_LINES: Final = 100
_SMALL: Final = 0.1
_NOTHING: Final = 1e-9
"""Dollars per thousand requests; sums of floats are no more exact."""


def judged(difference: Interval | None, *, lines: int, groups: int, no_price: float) -> Verdict:
    """Judge a difference in dollars per thousand requests; negative: serving saves.

    `lines` are drawn ones with prices, `groups` those of their conversations, `no_price` is the
    share of decisions without prices.
    """
    priced = f" Of the {1 - no_price:.1%} of decisions that have prices." if no_price > 0 else ""
    if no_price == 1:
        return Verdict(says="no_prices", text="No prices: the policy file has none for a decision.")
    if lines < FEWEST_LINES:
        text = f"Too few decisions to say: {lines} drawn, at least {FEWEST_LINES} are needed."
        return Verdict(says="too_few", text=text + priced)
    if difference is None:
        text = f"Too few conversations to say: {groups}, at least {FEWEST_GROUPS} are needed."
        return Verdict(says="too_few", text=text + priced)
    low, high = difference.low, difference.high
    if max(abs(low), abs(high)) < _NOTHING:
        text = "Serving would cost the same: no drawn decision costs less or more, router included."
        return Verdict(says="same", text=text + priced)
    if low <= 0 <= high:
        text = (
            f"Not clear yet: serving would cost between {money(-low)} less and {money(high)} more"
            " per thousand requests (95 %), router included."
        )
        return Verdict(says="unclear", text=text + priced)
    says: Says = "less" if high < 0 else "more"
    small, large = sorted((abs(low), abs(high)))
    text = (
        f"Serving would cost {money(abs(difference.value))} {says} per thousand requests"
        f" (95 %: {money(small)} to {money(large)}), router included."
    )
    return Verdict(says=says, text=text + priced)


def money(dollars: float) -> str:
    """US dollars, for people."""
    sign, size = "-" if dollars < 0 else "", abs(dollars)
    return f"{sign}${size:,.4f}" if 0 < size < _SMALL else f"{sign}${size:,.2f}"
