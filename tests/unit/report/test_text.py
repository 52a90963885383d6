"""What people and programs are shown."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.core.model import Mode, Reason, Source
from pointsman_server.report.account import BadLine
from pointsman_server.report.as_json import as_json
from pointsman_server.report.estimate import NO_QUALITY
from pointsman_server.report.figures import Report
from pointsman_server.report.grouped import Interval
from pointsman_server.report.prices import Assumptions
from pointsman_server.report.text import WIDTH, rendered
from support.log_lines import HAIKU, decided, raw, report_of
from support.records import OPUS, failed, fell_back, routed, skipped, switched

ROOT = Path(__file__).parents[3]
HELD = {"reason": Reason.AMBIGUOUS}
SERVED = {"shadow": False}


def week() -> Iterator[bytes]:
    """Every kind of line, over a week and two modes."""
    for at in range(200):
        mode = Mode.SERVE if at % 2 else Mode.SHADOW
        model, source = (OPUS, HAIKU)[at % 3 > 0], (Source.MORPH, Source.LOCAL)[at % 5 > 0]
        yield raw(
            decided(
                model, conversation=at, source=source, mode=mode, time=1_795_300_000 + 4_000 * at,
                auto_model=f"tier-{at % 2}", outcome=SERVED if at % 4 == 1 else {},
            ),
            rate=0.25,
        )  # fmt: skip
    yield from (raw(each) for each in (failed(), fell_back("http_503"), switched(), skipped()))
    yield raw(decided(outcome=HELD))
    yield raw(decided(static_pick=None, served_model=None, agreement=None, body_bytes=0))
    yield b'{"event":"another"}\n'
    yield b"canary\n"


SHORT = " (0.0 days; weekdays differ, a week says more)"
LONG = "n" * 256
REPORTS = {
    "a week": report_of(week()),
    "tokens that are given": report_of(week(), assumed=Assumptions(input_tokens=1e9)),
    "one line": report_of([raw(routed())]),
    "nothing but other events": report_of([b'{"event":"another"}\n']),
    "nothing drawn": report_of([raw(failed(), sampled=False)]),
    "names without end": report_of(
        [raw(decided(f"{at}{LONG}"[:256], auto_model=LONG, static_pick=LONG)) for at in range(30)],
        [raw(skipped(), rate=1e-9)] * 3,
    ),
    "many names": report_of([raw(decided(source=f"engine-{at}")) for at in range(40)]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_text_is_narrow_plain_and_ends_with_what_it_does_not_say(report: Report) -> None:
    lines = rendered(report).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if not line.isprintable() or line != line.rstrip()] == []
    assert lines[-1] == NO_QUALITY


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_json_is_one_line_with_the_same_figures(report: Report) -> None:
    text = as_json(report)
    assert "\n" not in text
    figures = json.loads(text)
    assert figures["read"]["lines"] == report.read.lines
    assert "NaN" not in text
    assert "Infinity" not in text


def test_neither_shows_a_hash_an_id_or_a_word_of_a_line_that_could_not_be_read() -> None:
    shown = rendered(REPORTS["a week"]) + as_json(REPORTS["a week"])
    hidden = ["a" * 32, "b" * 32, "canary", "0190f1f0", f"{7:032x}"]
    assert [each for each in hidden if each in shown] == []


def test_what_people_are_shown() -> None:
    assert rendered(REPORTS["one line"]).splitlines() == [
        "Read",
        "  lines                     1 in 1 file: 1 decision, 0 of other events",
        "  from                      2026-11-21T22:26:40Z",
        "  to                        2026-11-21T22:26:40Z" + SHORT,
        "  modes                     shadow 1",
        "  policy versions           9f86d081884c 1",
        "",
        "SHADOW: decisions that were recorded and not served",
        "",
        "All tiers, estimated from 1 sampled line",
        "  Too few decisions to say: 1 sampled, at least 100 are needed.",
        "  decisions                                 1",
        "    routed                  100.0%          1",
        "    skipped                   0.0%          0",
        "  not the static pick       0.0% (95 %: 0.0% to 79.3%) of routed, 1 line",
        "    held back                 0.0%          0",
        "  decided by                local 1",
        "  engines failed            0 counted",
        "  changes of model          0 counted",
        "  waited for engines        p50 2.1 ms, p95 2.1 ms",
        "  a whole decision          p50 3.52 ms, p95 3.52 ms",
        "  dollars per thousand requests, from 1 line with prices",
        "    static picks                  $27.93",
        "    decisions                     $27.93",
        "    router                         $0.00",
        "    input tokens, assumed          3,086  a request",
        "",
        "Assumed",
        "  input tokens              body_bytes / 4 (--input-tokens)",
        "  output tokens             500 a request (--output-tokens)",
        "  both models               read and write as many tokens; no provider's prompt cache",
        "  prices                    catalog of policy file pppppppppppppppp (--policy-file)",
        "  router, a thousand calls  morph $5.00, local $0.00 (--router-price)",
        "",
        NO_QUALITY,
    ]


def test_tiers_are_shown_where_there_are_several_and_served_decisions_apart() -> None:
    text = rendered(REPORTS["a week"])
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert [line.split(":")[0].split(",")[0] for line in headings[1:-2]] == [
        "SHADOW", "All tiers", "Tier tier-0", "Tier kilo-auto/frontier",
        "SERVE", "All tiers",
    ]  # fmt: skip
    assert "as served so far" in text.split("SERVE")[1]
    assert "as served so far" not in text.split("SERVE")[0]


def flat(report: Report) -> str:
    """The text without its line breaks."""
    return " ".join(rendered(report).split())


def test_what_is_taken_is_told_where_sizes_are_not_known_for_each_mode() -> None:
    def sizes(mode: Mode, sized: int) -> list[bytes]:
        known = [raw(decided(mode=mode))] * sized
        return [raw(decided(mode=mode, body_bytes=0)), *known, raw(decided("m", mode=mode))]

    told = "body_bytes / 4; 2,000 where there is no body_bytes:"
    shadow, serve = sizes(Mode.SHADOW, 3), sizes(Mode.SERVE, 1)
    assert f"{told} 25.0% of decisions with prices" in flat(report_of(shadow))
    assert f"{told} 50.0% of decisions with prices" in flat(report_of(serve))
    both = f"{told} SHADOW 25.0% and SERVE 50.0% of decisions with prices"
    assert both in flat(report_of(shadow, serve))
    only = [raw(decided(mode=Mode.SHADOW))]
    assert f"{told} SERVE 50.0% of decisions with prices" in flat(report_of(only, serve))


def test_lines_that_are_all_alike_have_no_interval() -> None:
    text = flat(report_of(raw(decided(conversation=at)) for at in range(150)))
    assert "difference no interval: all 150 lines are alike" in text
    assert "Not clear yet: of the sampled decisions each costs" in text


def test_models_without_a_price_are_named_the_most_frequent_first() -> None:
    lines = [raw(decided("rare")), *[raw(decided("m"))] * 2, raw(decided()), raw(decided("n"))]
    lines += [raw(decided(static_pick=None, served_model=None, agreement=None))] * 3
    text = flat(report_of(lines))
    assert "no price 87.5% of decisions: (none) 3, m 2, n 1, and 1 more" in text


def test_missing_session_ids_are_told_where_conversations_are_too_few() -> None:
    lines = [raw(decided(session_hash=None, body_bytes=at)) for at in range(90)]
    lines += [raw(decided(conversation=at % 3, body_bytes=at)) for at in range(30)]
    text = flat(report_of(lines))
    assert "Too few conversations to say: 4," in text
    assert "Session ids are missing in 75.0% of decisions:" in text


def test_long_names_of_models_are_shown_whole() -> None:
    names = "a" * 60, "b" * 37, "c" * 30
    lines = [raw(decided(name, static_pick=names[0], agreement=False)) for name in names[1:]]
    shown = rendered(report_of(lines)).splitlines()
    pairs = [line.strip() for line in shown if " 50.0% " in line or line.strip().startswith("for")]
    assert [" ".join(line.split()) for line in pairs] == [
        f"50.0% 1 {names[1]}", f"for {names[0]}", f"50.0% 1 {names[2]}", f"for {names[0]}",
    ]  # fmt: skip


def test_what_is_counted_is_told_with_its_rate() -> None:
    lines = [raw(failed(), rate=0.5), raw(switched(), rate=0.5), *[raw(decided(), rate=0.5)] * 18]
    text = flat(report_of(lines))
    assert "engines failed 1 counted (2.5% of decisions)" in text
    assert "changes of model 1 counted (2.5% of decisions)" in text


def documented() -> dict[str, list[str]]:
    """Field names by the heading they stand under."""
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    sections = page.split("\n### ")[1:]
    row = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
    rows = {each.splitlines()[0].strip("`"): row.findall(each) for each in sections}
    return {heading: names for heading, names in rows.items() if names}


def shapes(value: Any, *, name: str) -> Iterator[tuple[str, list[str]]]:
    """The name of every field that holds further fields, with those."""
    yield name, [field.name for field in dataclasses.fields(value)]
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        inner = inner[0] if isinstance(inner, tuple) and inner else inner
        if dataclasses.is_dataclass(inner):
            yield from shapes(inner, name=field.name)


SAME_SHAPE = {
    "serve": "shadow", "tiers": "overall", "served": "routed", "kept": "routed",
    "held_back": "skipped", "duration_ms": "router_duration_ms",
}  # fmt: skip


def test_every_field_of_the_json_is_documented_in_its_order() -> None:
    bad = BadLine(file="f", line=1, why="w")
    report = REPORTS["a week"]
    report = replace(report, read=replace(report.read, first_unreadable=bad))
    assert report.shadow is not None
    assert isinstance(report.shadow.overall.cost.difference, Interval)
    found: Mapping[str, list[str]] = {
        SAME_SHAPE.get(name, name): names for name, names in shapes(report, name="report")
    }
    assert documented() == found
