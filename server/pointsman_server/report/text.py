"""A report for people: aligned, at most `WIDTH` columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from pointsman_server.report.figures import Cost, Figures, Part, Quantiles, Read, Report
from pointsman_server.report.verdict import money

WIDTH: Final = 100
_LABEL: Final = 26
_MODEL: Final = 64
_PAIR: Final = 23
"""Columns before a pair of models."""
_MOST_NAMED: Final = 8
_MOST_UNPRICED: Final = 3
_WEEK: Final = 7
_ROUND: Final = 100
"""Milliseconds, from which on fractions say nothing."""


def rendered(report: Report) -> str:
    """Give the report as text, without a line feed at its end."""
    out = [*_read(report.read)]
    if report.shadow is not None:
        out += ["", "SHADOW: decisions that were recorded and not served"]
        out += _part(report.shadow, serving=False)
    if report.serve is not None:
        out += ["", "SERVE: decisions that were made while a share of them was served"]
        out += _part(report.serve, serving=True)
    out += ["", *_assumed(report), "", *_wrapped(report.quality)]
    return "\n".join(out)


def _read(read: Read) -> Iterator[str]:
    yield "Read"
    others = f"{_count(read.decisions, 'decision')}, {read.other_events:,} of other events"
    yield from _row("lines", f"{read.lines:,} in {_count(read.files, 'file')}: {others}")
    if read.unreadable:
        yield from _row("unreadable lines", f"{read.unreadable:,}")
        if (bad := read.first_unreadable) is not None:
            yield from _row("  the first one", f"{bad.file}, line {bad.line}: {bad.why}")
    if read.off:
        yield from _row("with nothing to decide", f"{read.off:,}")
    if read.since and read.until and read.days is not None:
        week = "" if read.days >= _WEEK else "; weekdays differ, a week says more"
        yield from _row("from", read.since)
        yield from _row("to", f"{read.until} ({read.days:,.1f} days{week})")
    yield from _row("modes", _named(read.modes))
    yield from _row("policy versions", _named(read.policy_versions))


def _part(part: Part, *, serving: bool) -> Iterator[str]:
    yield from _figures(part.overall, serving=serving)
    if len(part.tiers) > 1:
        for each in part.tiers:
            yield from _figures(each, serving=serving)


def _figures(figures: Figures, *, serving: bool) -> Iterator[str]:
    whose = "All tiers" if figures.tier is None else f"Tier {_fit(figures.tier, WIDTH - 50)}"
    yield ""
    yield f"{whose}, estimated from {_count(figures.drawn, 'sampled line')}"
    yield from (f"  {line}" for line in _wrapped(figures.cost.verdict.text, width=WIDTH - 2))
    if figures.drawn:
        yield from _decided(figures, serving=serving)
    yield from _failed(figures)
    if figures.drawn:
        yield from _row("waited for engines", _times(figures.router_duration_ms))
        yield from _row("a whole decision", _times(figures.duration_ms))
        yield from _cost(figures.cost, serving=serving)


def _decided(figures: Figures, *, serving: bool) -> Iterator[str]:
    yield from _row("decisions", _about(figures.decisions, None))
    yield from _row("  routed", _about(figures.routed.decisions, figures.routed.share))
    if serving:
        yield from _row("  served", _about(figures.served.decisions, figures.served.share))
    skipped = figures.skipped
    yield from _row("  skipped", _about(skipped.decisions, skipped.share, skipped.reasons))
    if (differs := figures.differs) is None:
        yield from _row("not the static pick", "no decision had a static pick")
    else:
        share = f"{differs.share:.1%} (95 %: {differs.low:.1%} to {differs.high:.1%})"
        yield from _row(
            "not the static pick", f"{share} of routed, {_count(differs.lines, 'line')}"
        )
    held = figures.held_back
    yield from _row("  held back", _about(held.decisions, held.share, held.reasons))
    yield from _changes(figures)
    if figures.kept.decisions:
        yield from _row("kept from before", _about(figures.kept.decisions, figures.kept.share))
    if figures.engines:
        yield from _row("decided by", _named(figures.engines))


def _changes(figures: Figures) -> Iterator[str]:
    if figures.changes:
        yield "  would serve in the place of the static pick, of all decisions"
    for change in figures.changes:
        decided, static = _fit(change.decided, _MODEL), _fit(change.static, _MODEL)
        numbers = f"    {change.share:6.1%} {change.decisions:>10,.0f}  "
        one_line = _PAIR + len(f"{decided} for {static}") <= WIDTH
        yield f"{numbers}{decided} for {static}" if one_line else f"{numbers}{decided}"
        if not one_line:
            yield f"{'':{_PAIR}}for {static}"
    if figures.other_changes:
        yield f"{'':11}{figures.other_changes:>10,.0f}  of other pairs"


def _failed(figures: Figures) -> Iterator[str]:
    failed = figures.failed
    counted = _counted(failed.unanswered + failed.stood_in, figures)
    if failed.stages:
        counted += f", in {failed.stood_in:,} another one answered: {_named(failed.stages)}"
    yield from _row("engines failed", counted)
    switches = _counted(sum(figures.switches.values()), figures)
    reasons = f": {_named(figures.switches)}" if figures.switches else ""
    yield from _row("changes of model", switches + reasons)


def _counted(lines: int, figures: Figures) -> str:
    """A count over all lines, as a share of the estimated decisions."""
    if not lines or not figures.decisions:
        return f"{lines:,} counted"
    return f"{lines:,} counted ({min(1.0, lines / figures.decisions):.1%} of decisions)"


def _cost(cost: Cost, *, serving: bool) -> Iterator[str]:
    yield f"  dollars per thousand requests, from {_count(cost.lines, 'line')} with prices"
    rows = [("static picks", cost.static), ("decisions", cost.decided), ("router", cost.router)]
    rows += [("as served so far", cost.served)] if serving else []
    for name, value in rows:
        if value is not None:
            yield from _row(f"  {name}", f"{money(value):>12}")
    if (difference := cost.difference) is not None:
        between = f"(95 %: {money(difference.low)} to {money(difference.high)})"
        yield from _row("  difference", f"{money(difference.value):>12} {between}")
    elif cost.alike and cost.lines > 1:
        yield from _row("  difference", f"no interval: all {cost.lines:,} lines are alike")
    if cost.no_price:
        models = _named(cost.models_without_price, most=_MOST_UNPRICED)
        yield from _row("  no price", f"{cost.no_price:>11.1%}  of decisions: {models}")
    if cost.input_tokens is not None:
        yield from _row("  input tokens, assumed", f"{cost.input_tokens:>12,.0f}  a request")


def _assumed(report: Report) -> Iterator[str]:
    assumed = report.assumed
    yield "Assumed"
    yield from _row("input tokens", _input_tokens(report))
    yield from _row("output tokens", f"{assumed.output_tokens:,.0f} a request (--output-tokens)")
    yield from _row("both models", "read and write as many tokens; no provider's prompt cache")
    version = f"catalog of policy file {assumed.prices_of}"
    catalog = "built-in catalog" if assumed.built_in else version
    yield from _row("prices", f"{catalog} (--policy-file)")
    engines = ", ".join(f"{name} {money(price)}" for name, price in assumed.router_price.items())
    yield from _row("router, a thousand calls", f"{engines} (--router-price)")


def _input_tokens(report: Report) -> str:
    assumed = report.assumed
    if assumed.input_tokens is not None:
        return f"{assumed.input_tokens:,.0f} a request (--input-tokens)"
    parts = {"SHADOW": report.shadow, "SERVE": report.serve}
    sized = {name: part.overall.cost.sized for name, part in parts.items() if part is not None}
    unsized = {name: 1 - share for name, share in sized.items() if share is not None and share < 1}
    told = f"body_bytes / {assumed.chars_per_token}"
    if unsized:
        shares = " and ".join(
            f"{name} {share:.1%}" if len(sized) > 1 else f"{share:.1%}"
            for name, share in unsized.items()
        )
        told += (
            f"; {assumed.unsized_input_tokens:,.0f} where there is no body_bytes:"
            f" {shares} of decisions with prices"
        )
    return f"{told} (--input-tokens)"


def _row(label: str, value: str) -> Iterator[str]:
    lines = _wrapped(value, width=WIDTH - _LABEL - 2) or [""]
    for at, line in enumerate(lines):
        yield f"  {label if at == 0 else '':<{_LABEL}}{line}".rstrip()


def _wrapped(text: str, *, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _about(
    decisions: float, share: float | None, reasons: Mapping[str, float] | None = None
) -> str:
    of_all = "" if share is None else f"{share:6.1%} "
    named = f"  {_named(reasons)}" if reasons else ""
    return f"{of_all or ' ' * 7}{decisions:>10,.0f}{named}"


def _named(amounts: Mapping[str, float], *, most: int = _MOST_NAMED) -> str:
    first = list(amounts.items())[:most]
    more = f", and {len(amounts) - len(first):,} more" if len(amounts) > len(first) else ""
    return ", ".join(f"{_fit(name, _MODEL)} {amount:,.0f}" for name, amount in first) + more


def _times(quantiles: Quantiles) -> str:
    if quantiles.p50 is None or quantiles.p95 is None:
        return "never"
    return f"p50 {_millis(quantiles.p50)}, p95 {_millis(quantiles.p95)}"


def _millis(value: float) -> str:
    return f"{value:,.0f} ms" if value >= _ROUND else f"{value:.3g} ms"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
