"""From sums to figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pointsman_server.core.model import Mode
from pointsman_server.report.account import Account
from pointsman_server.report.durations import Durations
from pointsman_server.report.figures import (
    Amount,
    Assumed,
    Change,
    Cost,
    Differs,
    Failed,
    Figures,
    Part,
    Quantiles,
    Read,
    Reasons,
    Report,
)
from pointsman_server.report.grouped import Grouped, Interval
from pointsman_server.report.prices import CHARS_PER_TOKEN, UNSIZED_TOKENS, Assumptions
from pointsman_server.report.sums import CostSums, Sums, merge
from pointsman_server.report.tally import Tally
from pointsman_server.report.verdict import Basis, judged

MOST_CHANGES: Final = 10
"""Pairs of models that are named."""
NO_QUALITY: Final = (
    "These figures say nothing about the quality of answers: measure that where decisions are"
    " served."
)
_THOUSAND: Final = 1_000
_DAY: Final = 86_400
_OTHERS: Final = "(others)"


def report(
    account: Account, *, assumed: Assumptions, prices_of: str, built_in: bool = False
) -> Report:
    """Give all figures; `prices_of` is the version of the policy file that has the prices."""
    return Report(
        read=_read(account),
        assumed=Assumed(
            prices_of=prices_of,
            built_in=built_in,
            input_tokens=assumed.input_tokens,
            unsized_input_tokens=UNSIZED_TOKENS,
            output_tokens=assumed.output_tokens,
            chars_per_token=CHARS_PER_TOKEN,
            router_price=assumed.router_prices,
        ),
        shadow=_part(account, Mode.SHADOW),
        serve=_part(account, Mode.SERVE),
        quality=NO_QUALITY,
    )


def _read(account: Account) -> Read:
    since, until = account.since, account.until
    days = (until - since).total_seconds() / _DAY if since and until else None
    return Read(
        files=account.files,
        lines=account.lines,
        decisions=account.decisions,
        other_events=account.other_events,
        off=account.off,
        unreadable=account.unreadable,
        first_unreadable=account.first_unreadable,
        since=_utc(since),
        until=_utc(until),
        days=days,
        modes=_counts(account.modes),
        policy_versions=_counts(account.versions),
    )


def _utc(time: datetime | None) -> str | None:
    # Not strftime: it pads no year before 1000.
    return f"{time.replace(tzinfo=None).isoformat(timespec='seconds')}Z" if time else None


def _part(account: Account, mode: Mode) -> Part | None:
    tiers = account.sums.get(mode)
    if tiers is None:
        return None
    overall = Sums()
    for sums in tiers.values():
        merge(overall, sums)
    order = sorted(tiers.items(), key=lambda item: (-item[1].decisions, item[0]))
    return Part(
        overall=figures(overall, tier=None),
        tiers=tuple(figures(sums, tier=tier) for tier, sums in order),
    )


def figures(sums: Sums, *, tier: str | None) -> Figures:
    """Give the figures of one tier, or of all."""
    changes = list(sums.changes.ranked().items())
    named = changes[:MOST_CHANGES]
    failures = sums.unanswered + sums.stood_in
    return Figures(
        tier=tier,
        drawn=sums.drawn,
        decisions=sums.decisions,
        routed=_amount(sums.routed, of=sums.decisions),
        served=_amount(sums.served, of=sums.decisions),
        kept=_amount(sums.kept, of=sums.routed),
        skipped=_reasons(sums.skipped, of=sums.decisions),
        held_back=_reasons(sums.held_back, of=sums.routed),
        failed=Failed(
            unanswered=sums.unanswered,
            stood_in=sums.stood_in,
            share=min(1.0, failures / sums.decisions) if sums.decisions else None,
            stages=_counts(sums.stages),
        ),
        differs=_differs(sums.differs),
        changes=tuple(
            Change(static=static, decided=decided, decisions=n, share=n / sums.decisions)
            for (static, decided), n in named
        ),
        other_changes=sum(n for _, n in changes[MOST_CHANGES:]) + sums.changes.others,
        engines=_amounts(sums.engines),
        engine_calls=_amounts(sums.calls),
        switches=_counts(sums.switches),
        router_duration_ms=_quantiles(sums.waited),
        duration_ms=_quantiles(sums.took),
        cost=_cost(sums.cost),
    )


def _differs(shares: Grouped) -> Differs | None:
    found = shares.share_interval()
    if found is None:
        return None
    return Differs(share=found.value, low=found.low, high=found.high, lines=shares.lines)


def _cost(sums: CostSums) -> Cost:
    basis = _basis(sums)
    return Cost(
        verdict=judged(basis),
        lines=basis.lines,
        effective_lines=basis.effective_lines,
        conversation_groups=basis.groups,
        effective_groups=basis.effective_groups,
        no_session=_share(sums.no_session, sums.priced),
        alike=basis.alike,
        no_price=_share(sums.unpriced, sums.priced + sums.unpriced),
        models_without_price=_amounts(sums.models_without_price),
        static=_per_thousand(sums.static, sums),
        decided=_per_thousand(sums.decided, sums),
        served=_per_thousand(sums.served, sums),
        router=_per_thousand(sums.router, sums),
        difference=basis.interval,
        input_tokens=_share(sums.input_tokens, sums.priced),
        sized=_share(sums.sized, sums.priced),
    )


def _basis(sums: CostSums) -> Basis:
    difference = sums.difference
    interval = difference.mean_interval()
    if interval is not None:
        interval = Interval(
            value=interval.value * _THOUSAND,
            low=interval.low * _THOUSAND,
            high=interval.high * _THOUSAND,
        )
    return Basis(
        mean=(difference.mean or 0.0) * _THOUSAND,
        interval=interval,
        lines=difference.lines,
        effective_lines=difference.effective_lines,
        groups=difference.groups,
        effective_groups=difference.effective_groups,
        alike=difference.alike,
        no_price=_share(sums.unpriced, sums.priced + sums.unpriced) or 0.0,
        no_session=_share(sums.no_session, sums.priced) or 0.0,
    )


def _per_thousand(dollars: float, sums: CostSums) -> float | None:
    return dollars / sums.priced * _THOUSAND if sums.priced else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _amount(decisions: float, *, of: float) -> Amount:
    return Amount(decisions=decisions, share=_share(decisions, of))


def _reasons(tally: Tally[str], *, of: float) -> Reasons:
    total = tally.total
    return Reasons(decisions=total, share=_share(total, of), reasons=_amounts(tally))


def _quantiles(durations: Durations) -> Quantiles:
    return Quantiles(p50=durations.quantile(0.5), p95=durations.quantile(0.95))


def _amounts(tally: Tally[str]) -> Mapping[str, float]:
    others = {_OTHERS: tally.others} if tally.others else {}
    return {**tally.ranked(), **others}


def _counts(tally: Tally[str]) -> Mapping[str, int]:
    return {name: round(amount) for name, amount in _amounts(tally).items()}
