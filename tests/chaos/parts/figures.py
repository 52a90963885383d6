"""What a row of the fault suite is, and the table of all rows."""

from __future__ import annotations

import json
import math
import os
import platform
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from support.load import Phase

PHASES = ("before", "during", "after")
COUNTS = ("sent", "answered", "refused", "lost", "wrong")
BEGIN, END = "## The table\n", "\n## "
_HEAD = (
    "| fault | action | load | sent | answered | refused | lost | wrong "
    "| p50 / p99 before | during | after | besides | load average |\n"
    "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much load each row gets."""

    phase: float
    """Seconds of load before, during and after a fault."""
    examples: int
    """Requests that bad input is made of."""
    conversations: int
    """Distinct conversations of the memory row, after those that fill its cache."""
    streams: int
    """Streams or frames of each abuse of HTTP/2."""
    afterwards: float
    """Seconds that memory is watched for after such an abuse has gone."""

    @classmethod
    def of(cls, form: str) -> Self:
        """The pace of `short` or `long`."""
        if form == "long":
            return cls(
                phase=2.0, examples=20_000, conversations=200_000, streams=20_000, afterwards=5.0
            )
        return cls(phase=0.25, examples=500, conversations=1_500, streams=8_000, afterwards=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault and what came of it."""

    fault: str
    done: str
    load: str
    phases: Mapping[str, Phase]
    besides: str = ""
    """What else was looked at, with its figures."""

    @property
    def sent(self) -> int:
        return sum(p.sent for p in self.phases.values())

    @property
    def answered(self) -> int:
        return sum(len(p.seconds) for p in self.phases.values())

    @property
    def refused(self) -> int:
        return sum(p.refused for p in self.phases.values())

    @property
    def lost(self) -> list[str]:
        return [failed for p in self.phases.values() for failed in p.failed]

    @property
    def wrong(self) -> list[str]:
        return [wrong for p in self.phases.values() for wrong in p.wrong]

    def check(self) -> None:
        """Nothing lost, nothing wrong, and load in every phase."""
        assert tuple(self.phases) == PHASES, self.fault
        assert self.wrong == [], (self.fault, self.wrong[:3])
        assert self.lost == [], (self.fault, self.lost[:3])
        for name, phase in self.phases.items():
            assert phase.seconds, f"{self.fault}: nobody was answered {name}"

    def record(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "fault": self.fault,
            "done": self.done,
            "load": self.load,
            "phases": {
                name: {
                    "sent": phase.sent,
                    "answered": len(phase.seconds),
                    "refused": phase.refused,
                    "lost": len(phase.failed),
                    "wrong": len(phase.wrong),
                    "p50_ms": _rounded(phase.milliseconds(0.5)),
                    "p99_ms": _rounded(phase.milliseconds(0.99)),
                }
                for name, phase in self.phases.items()
            },
            "besides": self.besides,
            "when": f"{datetime.now(UTC):%Y-%m-%d}",
            "load_average": round(os.getloadavg()[0], 1),
        }


@dataclass
class Ledger:
    """All rows of a run."""

    rows: list[Row] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    """The same as JSON, each of the moment when it was added."""
    table: Path | None = None
    """Where the table is kept, with each row as it comes: a long run may be cut off."""

    def add(self, row: Row) -> None:
        """Take a row, whatever it says, and fail where it misses the target."""
        self.rows.append(row)
        self.records.append(row.record())
        if self.table is not None:
            self.write(self.table)
        row.check()

    def lines(self) -> Iterator[str]:
        """The figures, a line a row."""
        counts = f"{'sent':>7s} {'answ.':>7s} ref. lost wrong"
        yield f"{'fault':52s} {counts}  p50/p99 ms: before during after"
        for row in self.rows:
            times = "  ".join(_latency(row.phases.get(name)) or "-" for name in PHASES)
            yield (
                f"{row.fault[:52]:52s} {row.sent:7d} {row.answered:7d}"
                f" {row.refused:4d} {len(row.lost):4d}"
                f" {len(row.wrong):5d}  {times}  {row.besides}"
            )

    def write(self, path: Path) -> None:
        """Put the table under its heading in `path`, and the figures as JSON beside it.

        A run of some rows leaves the others there as they were.
        """
        records = path.with_suffix(".json")
        known = json.loads(records.read_text())["rows"] if records.exists() else []
        rows = {row["fault"]: row for row in (*known, *self.records)}
        before, rest = path.read_text().split(BEGIN)
        after = rest.partition(END)[2]
        table = table_of(list(rows.values()))
        path.write_text(f"{before}{BEGIN}\n{_machine()}\n\n{table}\n{END}{after}")
        whole = {"machine": _machine(), "rows": list(rows.values())}
        records.write_text(json.dumps(whole, indent=1) + "\n")


def table_of(records: Sequence[Mapping[str, Any]]) -> str:
    """The table of `records`, and the days of their runs."""
    lines = "\n".join("| " + " | ".join(_cells(record)) + " |" for record in records)
    return f"{_HEAD}\n{lines}\n\n{_days(records)}"


def _cells(record: Mapping[str, Any]) -> list[str]:
    """A record as a row of the table."""
    phases = record["phases"]
    # Of the runs of 2026-11-22 only the page was kept, and with it the totals of the phases.
    totals = record.get("totals") or {
        count: sum(phase[count] for phase in phases.values()) for count in COUNTS
    }
    times = [_times(phases.get(name)) for name in PHASES]
    words = [str(record[name]) for name in ("fault", "done", "load")]
    counts = [str(totals[count]) for count in COUNTS]
    return [*words, *counts, *times, str(record["besides"]), str(record["load_average"])]


def _times(phase: Mapping[str, Any] | None) -> str:
    if phase is None or phase["p50_ms"] is None:
        return ""
    return f"{phase['p50_ms']:.1f} / {phase['p99_ms']:.1f}"


def _machine() -> str:
    python, grpcio = platform.python_version(), version("grpcio")
    return f"Python {python}, grpcio {grpcio}, {os.cpu_count()} cores."


def _days(records: Sequence[Mapping[str, Any]]) -> str:
    """Name the rows of each day, but of the day with the most."""
    days: dict[str, list[str]] = {}
    for record in records:
        days.setdefault(record["when"], []).append(record["fault"])
    most = max(days, key=lambda day: len(days[day]))
    others = [f"On {day}: {', '.join(days[day])}." for day in sorted(set(days) - {most})]
    rest = "the other rows" if others else "all rows"
    paragraph = " ".join([f"Run on {most}: {rest}.", *others])
    return textwrap.fill(paragraph, 158, break_long_words=False, break_on_hyphens=False)


def _latency(phase: Phase | None) -> str:
    if phase is None or not phase.seconds:
        return ""
    return f"{phase.milliseconds(0.5):.1f} / {phase.milliseconds(0.99):.1f}"


def _rounded(number: float) -> float | None:
    return None if math.isnan(number) else round(number, 2)
