"""Sums over lines. Merged sums of parts equal the sums of the whole, in any order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import TypeVar

from pointsman_server.core.model import Verdict
from pointsman_server.report.durations import Durations
from pointsman_server.report.grouped import Grouped
from pointsman_server.report.line import DecisionLine
from pointsman_server.report.prices import RequestCost
from pointsman_server.report.tally import Tally

S = TypeVar("S", "CostSums", "Sums")


def merge(into: S, other: S) -> None:
    """Add all of `other` to `into`, field by field."""
    for each in fields(into):
        ours, theirs = getattr(into, each.name), getattr(other, each.name)
        if isinstance(ours, int | float):
            setattr(into, each.name, ours + theirs)
        elif isinstance(ours, CostSums):
            merge(ours, theirs)
        else:
            ours.merge(theirs)


@dataclass(slots=True, kw_only=True)
class CostSums:
    """Dollars of the requests behind sampled lines, weighted."""

    priced: float = 0.0
    unpriced: float = 0.0
    static: float = 0.0
    decided: float = 0.0
    served: float = 0.0
    router: float = 0.0
    input_tokens: float = 0.0
    sized: float = 0.0
    """Requests of which the gateway said how large the body is."""
    no_session: float = 0.0
    """Requests with prices that named no conversation."""
    models_without_price: Tally[str] = field(default_factory=Tally)
    """Requests without prices, by each model of theirs that has none."""
    difference: Grouped = field(default_factory=Grouped)

    def add(self, line: DecisionLine, cost: RequestCost | Collection[str]) -> None:
        """Count a sampled line, with its cost or its models without a price."""
        weight = line.weight
        if not isinstance(cost, RequestCost):
            self.unpriced += weight
            for model in cost:
                self.models_without_price.add(model, weight)
            return
        self.priced += weight
        self.static += weight * cost.static
        self.decided += weight * cost.decided
        self.served += weight * cost.served
        self.router += weight * cost.router
        self.input_tokens += weight * cost.input_tokens
        self.sized += weight if line.body_bytes else 0.0
        self.no_session += 0.0 if line.session else weight
        self.difference.add(cost.difference, weight=weight, group=line.group)


@dataclass(slots=True, kw_only=True)
class Sums:
    """Of one tier in one mode. Weighted by 1 / sample rate, unless it says otherwise."""

    drawn: int = 0
    """Sampled lines."""
    decisions: float = 0.0
    routed: float = 0.0
    served: float = 0.0
    kept: float = 0.0
    skipped: Tally[str] = field(default_factory=Tally)
    held_back: Tally[str] = field(default_factory=Tally)
    changes: Tally[tuple[str, str]] = field(default_factory=Tally)
    engines: Tally[str] = field(default_factory=Tally)
    calls: Tally[str] = field(default_factory=Tally)
    differs: Grouped = field(default_factory=Grouped)
    waited: Durations = field(default_factory=Durations)
    took: Durations = field(default_factory=Durations)
    cost: CostSums = field(default_factory=CostSums)
    unanswered: int = 0
    """Lines, sampled or not: no engine answered."""
    stood_in: int = 0
    """Lines, sampled or not: an engine failed and another one answered."""
    stages: Tally[str] = field(default_factory=Tally)
    """Failures in all lines, sampled or not."""
    switches: Tally[str] = field(default_factory=Tally)
    """Lines, sampled or not."""

    def add(self, line: DecisionLine, cost: RequestCost | Collection[str]) -> None:
        """Count a line; `cost` (or the models without a price) counts if it was sampled."""
        self._count(line)
        if not line.weight:
            return
        self.drawn += 1
        self.decisions += line.weight
        self.took.add(line.duration_ms, line.weight)
        if line.router_ms > 0:
            self.waited.add(line.router_ms, line.weight)
        self.cost.add(line, cost)
        if line.verdict is Verdict.SKIPPED:
            self.skipped.add(line.reason or "", line.weight)
        elif line.verdict is Verdict.ROUTED:
            self._estimate_routed(line)

    def _count(self, line: DecisionLine) -> None:
        """Count a line that is always written; such lines are not estimated."""
        if line.verdict is Verdict.FAILED:
            self.unanswered += 1
        elif line.failures:
            self.stood_in += 1
        for each in line.failures:
            self.stages.add(each)
        if line.switch_reason is not None:
            self.switches.add(line.switch_reason)

    def _estimate_routed(self, line: DecisionLine) -> None:
        weight, source = line.weight, line.source or ""
        self.routed += weight
        self.engines.add(source, weight)
        if line.kept:
            self.kept += weight
        else:
            self.calls.add(source, weight)
        if line.reason is not None:
            self.held_back.add(line.reason, weight)
        elif not line.shadow:
            self.served += weight
        if line.agreement is not None:
            self.differs.add(float(not line.agreement), weight=weight, group=line.group)
        if line.agreement is False and line.reason is None:
            self.changes.add((line.static_pick or "", line.routed_model or ""), weight)
