"""Whether serving would cost less or more, in plain words, or why that cannot be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pointsman_server.report.figures import Says, Verdict
from pointsman_server.report.grouped import (
    FEWEST_GROUPS,
    FEWEST_LINES,
    Interval,
    enough_groups,
    enough_lines,
)
from pointsman_server.report.intervals import wilson

MOST_OTHERS: Final = 0.01
"""For lines that are all alike: the highest share of others that still allows a verdict."""
_SMALL: Final = 0.1
_NOTHING: Final = 1e-9
"""Dollars per thousand requests; sums of floats are no more exact."""
_DUST: Final = 1e-6
_INCLUDED: Final = "per thousand requests, router included"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The basis of a verdict."""

    mean: float
    """The difference in US dollars per thousand requests; negative: serving saves."""
    interval: Interval | None
    """Of the difference; `None` where there is too little, or all lines are `alike`."""
    lines: int
    """Sampled lines with prices."""
    effective_lines: float
    groups: int
    """Of the conversations of these lines."""
    effective_groups: float
    alike: bool
    no_price: float
    """The share of decisions without prices."""
    no_session: float
    """The share of the decisions with prices that name no conversation."""


def judged(basis: Basis) -> Verdict:
    """Say whether a difference is a saving."""
    if basis.no_price == 1:
        return Verdict(says="no_prices", text="No prices: the policy file has none for a decision.")
    says, text = _judged(basis)
    if basis.no_price > 0:
        text += f" Counting only the {1 - basis.no_price:.1%} of decisions that have prices."
    return Verdict(says=says, text=text)


def _judged(basis: Basis) -> tuple[Says, str]:
    if not enough_lines(basis.effective_lines):
        drawn = _number(basis.lines, basis.effective_lines, noun="sampled")
        return "too_few", f"Too few decisions to say: {drawn} at least {FEWEST_LINES} are needed."
    if not enough_groups(basis.effective_groups):
        return "too_few", _too_few_conversations(basis)
    if basis.interval is None:
        return _of_alike(basis)
    low, high = basis.interval.low, basis.interval.high
    if low <= 0 <= high:
        return "unclear", (
            f"Not clear yet: serving would cost between {money(-low)} less and {money(high)} more"
            " per thousand requests (95 %), router included."
        )
    says: Says = "less" if high < 0 else "more"
    small, large = sorted((abs(low), abs(high)))
    return says, (
        f"Serving would cost {money(abs(basis.mean))} {says} per thousand requests"
        f" (95 %: {money(small)} to {money(large)}), router included."
    )


def _of_alike(basis: Basis) -> tuple[Says, str]:
    """The verdict for lines that never vary: they bound the share of others, not their cost."""
    says: Says = "less" if basis.mean < 0 else "more"
    what = f"{money(abs(basis.mean))} {says}"
    if abs(basis.mean) < _NOTHING:
        says, what = "same", "the same"
    _, others = wilson(0.0, n=basis.effective_groups)
    alike = f"all {basis.lines:,} lines are alike, and up to {others:.1%} of others"
    if others <= MOST_OTHERS:
        return says, f"Serving would cost {what} {_INCLUDED}: {alike} may not be (95 %)."
    return "unclear", (
        f"Not clear yet: of the sampled decisions each costs {what} {_INCLUDED}, but {alike} may"
        f" not be (95 %): at most {MOST_OTHERS:.0%} is needed."
    )


def _too_few_conversations(basis: Basis) -> str:
    number = _number(basis.groups, basis.effective_groups)
    text = f"Too few conversations to say: {number} at least {FEWEST_GROUPS} are needed."
    if basis.no_session > 0:
        text += (
            f" Session ids are missing in {basis.no_session:.1%} of decisions: those of a user"
            " count as one conversation."
        )
    return text


def _number(count: int, effective: float, *, noun: str = "") -> str:
    counted = f"{count:,} {noun}".rstrip()
    if math.isclose(count, effective, rel_tol=_DUST):
        return f"{counted},"
    # Cut and not rounded: 99.7 is not 100.
    return f"{counted}, by their weights no more than {math.floor(effective):,} (effective number);"


def money(dollars: float) -> str:
    """Format US dollars for people."""
    sign, size = "-" if dollars < 0 else "", abs(dollars)
    return f"{sign}${size:,.4f}" if 0 < size < _SMALL else f"{sign}${size:,.2f}"
