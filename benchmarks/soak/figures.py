"""Measures that are sampled repeatedly, and their growth.

Growth is the median of the last tenth of the samples less that of the second tenth: the first
belongs to warming up, and a median does not see a sample that the machine disturbed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process at one moment."""

    at: float
    """Seconds since the first."""
    resident: float
    """Megabytes that the process holds in memory."""
    descriptors: int
    threads: int
    tasks: int
    """Tasks of the event loop that are not done."""
    p50: float
    """Milliseconds, of the calls since the sample before."""
    p99: float
    p50_ratio: float
    """Relative to a bare echo on the same machine, at the same rate from the same process."""
    p99_ratio: float
    cpu: float
    """Milliseconds of processor time, of all threads, for each of these calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One column of the samples, and by how much it may grow: `most`, or `share` of its start."""

    field: str
    title: str
    most: float
    share: float = 0.0


MEASURES = (
    Measure(field="resident", title="memory, MB", most=8.0),
    Measure(field="descriptors", title="descriptors", most=8),
    Measure(field="threads", title="threads", most=4),
    Measure(field="tasks", title="tasks", most=16),
    # Other work on the machine affects durations first: those of a bare echo reveal it.
    Measure(field="p50", title="p50, ms", most=inf),
    Measure(field="p99", title="p99, ms", most=inf),
    Measure(field="p50_ratio", title="p50 / echo's", most=1.0, share=0.5),
    Measure(field="p99_ratio", title="p99 / echo's", most=2.0, share=1.0),
    Measure(field="cpu", title="processor time a call, ms", most=0.5, share=0.5),
)
LEAST_SAMPLES = 20
"""Below these a tenth is no more than one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One measure over the whole time."""

    title: str
    first: float
    settled: float
    """The median of the second tenth."""
    ended: float
    """The median of the last tenth."""
    last: float
    per_hour: float
    """The slope of the line through all but the first tenth."""
    bound: float

    @property
    def grown(self) -> float:
        """By how much the last tenth is above the second."""
        return self.ended - self.settled

    @property
    def exceeds(self) -> bool:
        """Whether that is more than it may be."""
        return self.grown > self.bound


def growth(samples: Sequence[Sample]) -> tuple[Growth, ...]:
    """The course of every measure. Raises `ValueError` for fewer than `LEAST_SAMPLES`."""
    if len(samples) < LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples are too few: {LEAST_SAMPLES} are needed")
    return tuple(_of(measure, samples) for measure in MEASURES if _is_known(measure, samples))


def _is_known(measure: Measure, samples: Sequence[Sample]) -> bool:
    """Whether the process has it: a process without calls has no latency."""
    return not all(math.isnan(getattr(sample, measure.field)) for sample in samples)


def _of(measure: Measure, samples: Sequence[Sample]) -> Growth:
    values = [float(getattr(sample, measure.field)) for sample in samples]
    # Without an answer between two samples, there is no latency.
    known = [n for n, value in enumerate(values) if not math.isnan(value)]
    samples, values = [samples[n] for n in known], [values[n] for n in known]
    tenth = len(values) // 10
    settled = statistics.median(values[tenth : 2 * tenth])
    moments = [sample.at for sample in samples[tenth:]]
    return Growth(
        title=measure.title,
        first=values[0],
        settled=settled,
        ended=statistics.median(values[-tenth:]),
        last=values[-1],
        per_hour=statistics.linear_regression(moments, values[tenth:]).slope * 3_600,
        bound=max(measure.most, measure.share * settled),
    )


def table(growths: Sequence[Growth]) -> str:
    """The measures, a row each, in Markdown."""
    head = "| | start | 2nd tenth | last tenth | end | growth | bound | slope an hour | |"
    rows = [head, "|---|---|---|---|---|---|---|---|---|"]
    rows += [
        f"| {g.title} | {g.first:.1f} | {g.settled:.1f} | {g.ended:.1f} | {g.last:.1f} |"
        f" {g.grown:+.1f} | {'' if g.bound == inf else f'{g.bound:.1f}'} | {g.per_hour:+.1f} |"
        f" {'' if g.bound == inf else '**grew**' if g.exceeds else 'held'} |"
        for g in growths
    ]
    return "\n".join(rows)
