"""The figures of a report, explained in `docs/report.md`.

Amounts of decisions are estimates, and so are shares of them, unless a docstring says "counted".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pointsman_server.report.account import BadLine
from pointsman_server.report.grouped import Interval

Says = Literal["less", "more", "same", "unclear", "too_few", "no_prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The lines that were read. All counted."""

    files: int
    lines: int
    decisions: int
    other_events: int
    off: int
    unreadable: int
    first_unreadable: BadLine | None
    since: str | None
    until: str | None
    days: float | None
    modes: Mapping[str, int]
    policy_versions: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Assumptions about facts that the log lacks."""

    prices_of: str
    """The version of the policy file whose catalog was taken."""
    built_in: bool
    """Whether that is the catalog that comes with Pointsman."""
    input_tokens: float | None
    unsized_input_tokens: float
    output_tokens: float
    chars_per_token: int
    router_price: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Decisions of a kind, and their share of all."""

    decisions: float
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Decisions of a kind, by reason."""

    decisions: float
    share: float | None
    reasons: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Failures of engines. Counted in all lines, sampled or not."""

    unanswered: int
    stood_in: int
    share: float | None
    stages: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """The share of decisions that are not the static pick, where there is one."""

    share: float
    low: float
    high: float
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model that would serve in place of another."""

    static: str
    decided: str
    decisions: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Quantiles of a duration in milliseconds."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The cost of serving, as a word and as a sentence."""

    says: Says
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """US dollars per thousand requests."""

    verdict: Verdict
    lines: int
    effective_lines: float
    conversation_groups: int
    effective_groups: float
    no_session: float | None
    alike: bool
    """Whether all lines make the same difference, so that there is no interval."""
    no_price: float | None
    models_without_price: Mapping[str, float]
    static: float | None
    decided: float | None
    served: float | None
    router: float | None
    difference: Interval | None
    input_tokens: float | None
    sized: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one tier, or of all."""

    tier: str | None
    drawn: int
    decisions: float
    routed: Amount
    served: Amount
    kept: Amount
    skipped: Reasons
    held_back: Reasons
    failed: Failed
    differs: Differs | None
    changes: tuple[Change, ...]
    other_changes: float
    engines: Mapping[str, float]
    engine_calls: Mapping[str, float]
    switches: Mapping[str, int]
    router_duration_ms: Quantiles
    duration_ms: Quantiles
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Decisions that were made in one mode."""

    overall: Figures
    tiers: tuple[Figures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of a report."""

    read: Read
    assumed: Assumed
    shadow: Part | None
    serve: Part | None
    quality: str
