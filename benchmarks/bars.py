"""Bars: what was measured, whether it reaches them, as Markdown and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Series:
    """Measured values, with the control of each where there is one."""

    values: Sequence[float]
    controls: Sequence[float] = ()
    tried: int = 0
    """Rounds that were played; 0 where there is no control, and all count."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `measured`, `low` and `high` are `None` where no round counted."""

    name: str
    what: str
    bar: str
    measured: float | None
    low: float | None
    high: float | None
    reached: bool
    control: float | None = None
    counted: int = 0
    tried: int = 0
    limit: float = field(default=0.0)

    @property
    def verdict(self) -> str:
        """In the table."""
        if self.measured is None:
            return "**no round counts**"
        return "reached" if self.reached else "**missed**"


def bar(name: str, what: str, limit: str, series: Series) -> Bar:
    """`limit` is a sign, `>=` or `<=`, a blank and a number."""
    sign, text = limit.split()
    number = float(text)
    if not series.values:
        return Bar(name, what, limit, None, None, None, False, tried=series.tried, limit=number)  # noqa: FBT003
    median = statistics.median(series.values)
    return Bar(
        name,
        what,
        limit,
        measured=median,
        low=min(series.values),
        high=max(series.values),
        reached=median >= number if sign == ">=" else median <= number,
        control=statistics.median(series.controls) if series.controls else None,
        counted=len(series.values),
        tried=series.tried or len(series.values),
        limit=number,
    )


def table(bars: Sequence[Bar]) -> str:
    """The bars in Markdown."""
    rows = [
        "| # | what | bar | median | min | max | A/A | rounds | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in bars:
        figures = " | ".join(map(_number, (each.measured, each.low, each.high, each.control)))
        rounds = f"{each.counted} of {each.tried}"
        rows.append(
            f"| {each.name} | {each.what} | {each.bar} | {figures} | {rounds} | {each.verdict} |"
        )
    return "\n".join(rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
