"""From lines to figures."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Mode, Reason, Source, Verdict
from pointsman_server.report import account as account_of_files
from pointsman_server.report import tally
from pointsman_server.report.estimate import MOST_CHANGES
from pointsman_server.report.figures import Figures
from pointsman_server.report.prices import Assumptions
from support.log_lines import CATALOG, HAIKU, account_of, decided, raw, report_of
from support.records import OPUS, cached, failed, fell_back, routed, skipped, switched, unrouted


def overall(*lines: bytes, assumed: Assumptions | None = None) -> Figures:
    part = report_of(lines, assumed=assumed).shadow
    assert part is not None
    return part.overall


def test_drawn_lines_stand_for_decisions_and_the_others_for_none() -> None:
    found = overall(
        *[raw(decided(), rate=0.1)] * 6,
        *[raw(decided(OPUS), rate=0.5)] * 5,
        *[raw(skipped(Reason.NO_PROMPT), rate=0.1)] * 3,
        *[raw(switched(), sampled=False, rate=0.1)] * 40,
    )
    assert (found.drawn, found.decisions) == (14, pytest.approx(100))
    assert (found.routed.decisions, found.routed.share) == pytest.approx((70, 0.7))
    assert dict(found.skipped.reasons) == pytest.approx({"no_prompt": 30})
    assert found.differs is not None
    assert (found.differs.share, found.differs.lines) == (pytest.approx(60 / 70), 11)


def test_failures_and_switches_are_counted_once_in_all_lines_and_never_estimated() -> None:
    found = overall(
        *[raw(failed("timeout"), rate=0.1)] * 2,
        *[raw(failed("timeout"), sampled=False, rate=0.1)] * 20,
        *[raw(fell_back("http_503"), sampled=False, rate=0.1)] * 3,
        *[raw(switched(), rate=0.1)] * 1,
        *[raw(switched(), sampled=False, rate=0.1)] * 4,
        *[raw(routed(), rate=0.1)] * 97,
    )
    assert (found.failed.unanswered, found.failed.stood_in) == (22, 3)
    assert dict(found.failed.stages) == {"morph timeout": 22, "morph http_503": 3}
    assert found.failed.share == pytest.approx(25 / 1_000)
    assert sum(found.switches.values()) == 5


def test_pairs_are_those_that_would_serve_and_what_is_held_back_is_told_by_its_reason() -> None:
    found = overall(
        *[raw(decided())] * 3,
        raw(decided(OPUS, static_pick=HAIKU, agreement=False)),
        raw(decided(outcome={"reason": Reason.AMBIGUOUS})),
        raw(decided(static_pick=None, served_model=None, agreement=None)),
        raw(routed()),
    )
    pairs = [(change.decided, change.static, change.decisions) for change in found.changes]
    assert pairs == [(HAIKU, OPUS, 3), (OPUS, HAIKU, 1)]
    assert dict(found.held_back.reasons) == {"ambiguous": 1}
    assert found.differs is not None
    assert (found.differs.share, found.differs.lines) == (pytest.approx(5 / 6), 6)
    assert found.cost.no_price == pytest.approx(1 / 7)


def test_pairs_beyond_the_first_are_added_up() -> None:
    models = [f"m{at}" for at in range(MOST_CHANGES + 3)]
    found = overall(*(raw(decided(model), rate=0.5) for model in models))
    assert len(found.changes) == MOST_CHANGES
    assert found.other_changes == 6


def test_pairs_that_are_too_many_to_be_named_count_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "DIFFERENT", 2)
    found = overall(*(raw(decided(f"m{at}", auto_model=f"t{at % 2}")) for at in range(8)))
    assert sum(change.decisions for change in found.changes) == 2
    assert found.other_changes == 6


def test_kept_decisions_name_their_engine_and_are_no_calls() -> None:
    found = overall(
        raw(cached()), *[raw(decided(source=Source.MORPH, cached=True))] * 2,
        raw(decided(source=Source.MORPH)), *[raw(skipped())] * 4,
    )  # fmt: skip
    assert found.kept.share == 0.75
    assert dict(found.engines) == {"morph": 3, "local": 1}
    assert dict(found.engine_calls) == {"morph": 1}


def test_waiting_is_that_of_decisions_for_which_an_engine_was_asked() -> None:
    def took(engine: float, total: float) -> bytes:
        return raw(decided(outcome={"engine_seconds": engine}, total_seconds=total))

    found = overall(*[took(0.0, 0.001)] * 90, *[took(0.2, 0.3)] * 10)
    waited, whole = found.router_duration_ms, found.duration_ms
    assert (waited.p50, waited.p95) == pytest.approx((200, 200), rel=0.01)
    assert (whole.p50, whole.p95) == pytest.approx((1, 300), rel=0.01)


def test_costs_are_of_a_thousand_requests_with_the_routers_price() -> None:
    # A request of 1,000 tokens in and 500 out: 17.5 and 3.5 thousandths of a dollar.
    lines = [
        raw(decided(HAIKU if at % 2 else OPUS, source=Source.MORPH, conversation=at), rate=0.5)
        for at in range(400)
    ]
    found = overall(*lines, assumed=Assumptions(input_tokens=1_000)).cost
    assert (found.static, found.decided, found.served, found.router) == pytest.approx(
        (17.5, 10.5, 17.5, 5)
    )
    assert found.difference is not None
    assert found.difference.value == pytest.approx(-2)
    # Half of them save 9 and half cost 5 more: a deviation of 7, of 400 independent lines.
    assert found.difference.high - found.difference.value == pytest.approx(1.96 * 0.35, rel=0.1)
    assert found.verdict.says == "less"


def test_served_decisions_are_told_apart_from_shadow_ones_and_skips_go_with_their_mode() -> None:
    served = {"shadow": False}
    report = report_of(
        [
            *[raw(decided())] * 4,
            *[raw(decided(mode=Mode.SERVE, outcome=served, served_model=HAIKU))] * 2,
            *[raw(decided(mode=Mode.SERVE))] * 5,
            raw(replace(skipped(), mode=Mode.SERVE)),
        ]
    )
    assert report.shadow is not None
    assert report.serve is not None
    assert (report.shadow.overall.drawn, report.shadow.overall.served.decisions) == (4, 0)
    assert (report.serve.overall.drawn, report.serve.overall.served.share) == (8, 0.25)
    cost = report.serve.overall.cost
    assert cost.static is not None
    assert cost.served is not None
    assert cost.decided is not None
    assert cost.decided < cost.served < cost.static
    assert dict(report.read.modes) == {"serve": 8, "shadow": 4}


def test_each_tier_has_figures_of_its_own_the_largest_first() -> None:
    part = report_of(
        [raw(decided(auto_model="a")), *[raw(skipped(), rate=0.1)] * 2, raw(decided())]
    ).shadow
    assert part is not None
    assert [(tier.tier, tier.drawn) for tier in part.tiers] == [("kilo-auto/frontier", 3), ("a", 1)]
    assert part.overall.tier is None
    assert part.overall.decisions == pytest.approx(22)


def test_too_many_tiers_are_added_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_of_files, "MOST_TIERS", 2)
    lines = [raw(decided(auto_model=name)) for name in ("a", "b", "c", "d", "b")]
    part = report_of(lines).shadow
    assert part is not None
    assert {t.tier: t.drawn for t in part.tiers} == {"a": 1, "b": 2, "(further tiers)": 2}


def test_what_was_read_is_told_with_the_place_of_the_first_line_that_could_not() -> None:
    nothing_to_decide = raw(unrouted(Verdict.OFF, Reason.MODE_OFF))
    report = report_of(
        [raw(routed(time=1_795_300_000)), b"\n", b'{"event":"another"}\n'],
        [nothing_to_decide, b"\n", b"canary\n", b"[]\n", raw(routed(time=1_795_300_000 - 43_200))],
    )
    read = report.read
    assert (read.files, read.lines, read.decisions) == (2, 6, 3)
    assert (read.other_events, read.off, read.unreadable) == (1, 1, 2)
    assert read.first_unreadable is not None
    assert asdict(read.first_unreadable) == {"file": "file-1", "line": 3, "why": "not JSON"}
    assert (read.since, read.until) == ("2026-11-21T10:26:40Z", "2026-11-21T22:26:40Z")
    assert read.days == pytest.approx(0.5, abs=1e-4)
    assert report.shadow is not None
    assert report.shadow.overall.drawn == 2
    assert dict(read.policy_versions) == {"9f86d081884c": 3}


def test_years_have_four_digits_and_times_are_utc() -> None:
    lines = [json.dumps(json.loads(raw(routed())) | {"time": "0987-01-01T01:00:00.5+02:00"})]
    assert report_of([each.encode() for each in lines]).read.since == "0986-12-31T23:00:00Z"


def test_one_line_that_outweighs_all_others_gives_no_verdict() -> None:
    light = [
        raw(decided(HAIKU if at % 2 else OPUS, source=Source.MORPH, conversation=at))
        for at in range(120)
    ]
    assert overall(*light).cost.verdict.says == "less"
    found = overall(*light, raw(decided(conversation=500), rate=1e-4)).cost
    assert (found.verdict.says, found.difference) == ("too_few", None)
    assert found.lines == 121
    assert found.effective_lines == pytest.approx(1.02, abs=0.01)
    assert "121 sampled, by their weights no more than 1 (effective number);" in found.verdict.text


def test_without_drawn_lines_what_is_counted_is_told_and_nothing_is_estimated() -> None:
    found = overall(*[raw(failed(), sampled=False, rate=0.0)] * 3)
    assert (found.drawn, found.decisions, found.failed.unanswered) == (0, 0, 3)
    assert (found.routed.share, found.failed.share, found.differs) == (None, None, None)
    assert found.cost.verdict.says == "too_few"


RECORDS: list[DecisionRecord] = [
    *(
        decided(model, conversation=at, source=source, cached=kept, time=1_795_000_000.0 + at)
        for at, (model, source, kept) in enumerate(
            (model, source, kept)
            for model in (OPUS, HAIKU, "m")
            for source in Source
            for kept in (False, True)
        )
    ),
    skipped(), failed(), fell_back(), switched(), decided(auto_model="a", mode=Mode.SERVE),
]  # fmt: skip
LINES = st.lists(
    st.builds(
        raw,
        st.sampled_from(RECORDS),
        sampled=st.booleans(),
        rate=st.sampled_from([0.01, 0.3, 1.0]),
    )
    | st.sampled_from([b"{\n", b'{"event":"another"}\n']),
    min_size=1,
    max_size=60,
)


def nearly(value: Any) -> Any:
    """Compares floats as sums of floats can be."""
    if isinstance(value, dict):
        return {name: nearly(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [nearly(each) for each in value]
    return pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value


def without_order(report: Any) -> Any:
    """What does not depend on which file came first. Ties have no order of their own."""
    figures = asdict(report)
    read = figures["read"] | {"files": None}
    for part in filter(None, (figures["shadow"], figures["serve"])):
        for each in (part["overall"], *part["tiers"]):
            each["changes"] = {(c["static"], c["decided"]): c["decisions"] for c in each["changes"]}
        part["tiers"] = {each["tier"]: each for each in part["tiers"]}
    return figures | {"read": read | {"first_unreadable": read["first_unreadable"] is not None}}


@given(LINES, st.integers(0, 60), st.randoms(use_true_random=False))
def test_lines_add_up_to_the_same_in_any_order_and_over_any_files(
    lines: list[bytes], cut: int, dice: random.Random
) -> None:
    shuffled = dice.sample(lines, len(lines))
    whole, parts = report_of(lines), report_of(shuffled[:cut], shuffled[cut:])
    assert without_order(parts) == nearly(without_order(whole))


@given(st.lists(st.sampled_from(RECORDS), min_size=1, max_size=10))
def test_a_line_at_a_tenth_weighs_like_ten_at_one(records: list[DecisionRecord]) -> None:
    tenth = report_of([raw(each, rate=0.1) for each in records])
    whole = report_of([raw(each) for each in records for _ in range(10)])
    for ours, theirs in ((tenth.shadow, whole.shadow), (tenth.serve, whole.serve)):
        if ours is None or theirs is None:
            assert ours is theirs
            continue
        for name in ("decisions", "routed", "kept", "skipped", "held_back", "engines"):
            one, other = (getattr(part.overall, name) for part in (ours, theirs))
            one, other = (e if isinstance(e, float | dict) else asdict(e) for e in (one, other))
            assert one == nearly(other)
        assert ours.overall.cost.static == pytest.approx(theirs.overall.cost.static)


def test_the_memory_of_an_account_does_not_grow_with_its_lines() -> None:
    def sizes(count: int) -> list[int]:
        lines = (raw(decided(conversation=at, total_seconds=at % 50 / 7)) for at in range(count))
        [sums] = account_of(lines).sums[Mode.SHADOW].values()
        tallies = [sums.skipped, sums.held_back, sums.changes, sums.engines, sums.calls]
        return [len(sums.took.counts), *(len(tally.ranked()) for tally in tallies)]

    assert len(CATALOG) == 2
    assert sizes(100) == sizes(2_000)
