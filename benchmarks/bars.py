"""Bars and their measurements, as Markdown and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

ENOUGH = 0.9
"""A server's core that was less busy than this may have waited for the load."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Processor time in a burst, as a share of the time that the burst took."""

    server: float
    load: float
    """Of the generator."""


def least_sure(each: Iterable[Busy]) -> Busy:
    """The idlest server and the busiest generator of these."""
    seen = list(each)
    return Busy(min(busy.server for busy in seen), max(busy.load for busy in seen))


@dataclass(frozen=True, slots=True)
class Series:
    """Measured values, with the control of each where there is one."""

    values: Sequence[float]
    controls: Sequence[float] = ()
    tried: int = 0
    """Rounds that were played; 0 where there is no control, and all count."""
    busy: Busy | None = None
    """Set for comparisons of throughput."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `measured`, `low` and `high` are `None` where no round counts."""

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
    server_busy: float | None = None
    load_busy: float | None = None
    run: str = ""
    """The head of the run that measured it; empty: this one."""
    missing: str = ""
    """The command that measures it, if it was not measured."""

    @property
    def verdict(self) -> str:
        """In the table."""
        if self.missing:
            return f"not measured: {self.missing}"
        if self.measured is None:
            return "**no round counts**"
        if not self.bar:
            return "no bar"
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
        server_busy=series.busy.server if series.busy else None,
        load_busy=series.busy.load if series.busy else None,
    )


def shown(name: str, what: str, series: Series) -> Bar:
    """A row that no bar is set for."""
    return replace(bar(name, what, ">= 0", series), bar="", reached=True)


def unmeasured(name: str, what: str, limit: str, missing: str) -> Bar:
    """The row of a bar without a measurement, with the command that measures it."""
    return replace(bar(name, what, limit, Series([])), missing=missing)


def table(bars: Sequence[Bar]) -> str:
    """The bars in Markdown."""
    rows = [
        "| # | measurement | bar | median | min | max | A/A | rounds | server busy | load busy | |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in bars:
        figures = " | ".join(map(_number, (each.measured, each.low, each.high, each.control)))
        rounds = f"{each.counted} of {each.tried}" if each.tried else ""
        busy = f"{_share(each.server_busy, least=ENOUGH)} | {_share(each.load_busy)}"
        rows.append(
            f"| {each.name} | {each.what} | {each.bar} | {figures} | {rounds} | {busy} |"
            f" {each.verdict} |"
        )
    return "\n".join([*rows, *_notes(bars)])


def _notes(bars: Sequence[Bar]) -> list[str]:
    """Paragraphs below the table."""
    notes = [
        f"{each.name} was measured by a run of its own: {each.run}." for each in bars if each.run
    ]
    if any(each.server_busy is not None and each.server_busy < ENOUGH for each in bars):
        notes.append(
            f"Bold: the server's core was less than {ENOUGH:.0%} busy on one side, so that the load"
            " or a neighbour may have been the limit."
        )
    return [line for note in dict.fromkeys(notes) for line in ("", note)]


def _share(value: float | None, *, least: float = 0.0) -> str:
    if value is None:
        return ""
    return f"{value:.0%}" if value >= least else f"**{value:.0%}**"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
