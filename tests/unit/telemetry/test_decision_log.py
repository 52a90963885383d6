import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Reason, Verdict
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry.decision_log.log import DecisionLog
from pointsman_server.telemetry.decision_log.writer import LineWriter
from support.records import cached, failed, fell_back, resolved, routed, skipped, switched, unrouted


class Pages:
    """A sink in memory."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, lines: bytes) -> None:
        self.text += lines

    def close(self) -> None:
        pass

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


class Dice:
    def __init__(self) -> None:
        self.shows = 0.5

    def __call__(self) -> float:
        return self.shows


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def dice() -> Dice:
    return Dice()


@pytest.fixture
async def log(pages: Pages, dice: Dice) -> AsyncIterator[DecisionLog]:
    writer = LineWriter([pages], gather=0.0)
    writer.start()
    log = DecisionLog(writer, random=dice)
    yield log
    await log.aclose(bound=5.0)


async def written(log: DecisionLog, pages: Pages) -> list[dict[str, Any]]:
    await log.aclose(bound=5.0)
    return pages.lines()


USUAL = {
    "routed": routed(),
    "from the cache": cached(),
    "skipped": skipped(),
    "off for another reason": unrouted(Verdict.OFF, Reason.THIRD_PARTY_DENIED),
}


@pytest.mark.parametrize("name", USUAL)
async def test_what_is_usual_is_written_at_the_rate(
    log: DecisionLog, pages: Pages, dice: Dice, name: str
) -> None:
    for rate, shown in ((0.01, 0.0099), (0.01, 0.01), (0.0, 0.0), (1.0, 0.999)):
        dice.shows = shown
        log.sample_with(lambda rate=rate: rate)  # type: ignore[misc]
        log.on_decision(USUAL[name])

    found = await written(log, pages)
    assert [(line["sampled"], line["sample_rate"]) for line in found] == [(True, 0.01), (True, 1.0)]


ALWAYS = {
    "failed": (failed(), "warn"),
    "an engine failed and another answered": (fell_back(), "warn"),
    "left its model": (switched(), "info"),
}


@pytest.mark.parametrize("name", ALWAYS)
async def test_failures_and_switches_are_written_whatever_the_dice_say(
    log: DecisionLog, pages: Pages, dice: Dice, name: str
) -> None:
    record, level = ALWAYS[name]
    for shown in (0.001, 0.999):
        dice.shows = shown
        log.on_decision(record)

    lines = await written(log, pages)
    assert [(line["sampled"], line["level"]) for line in lines] == [(True, level), (False, level)]


@pytest.mark.parametrize("reason", [Reason.NO_ROUTING_CONTEXT, Reason.FLAG_OFF, Reason.MODE_OFF])
async def test_requests_with_nothing_to_decide_are_never_written(
    log: DecisionLog, pages: Pages, reason: Reason
) -> None:
    log.sample_with(lambda: 1.0)

    log.on_decision(unrouted(Verdict.OFF, reason))

    assert await written(log, pages) == []


@pytest.mark.parametrize("record", [routed(dry_run=True)])
async def test_a_dry_run_is_never_written(
    log: DecisionLog, pages: Pages, record: DecisionRecord
) -> None:
    log.sample_with(lambda: 1.0)

    log.on_decision(record)

    assert await written(log, pages) == []


async def test_a_resolution_is_written_at_the_rate_and_a_dry_run_never(
    log: DecisionLog, pages: Pages, dice: Dice
) -> None:
    dice.shows = 0.0099
    log.resolved(resolved())
    log.resolved(resolved(dry_run=True))
    dice.shows = 0.01
    log.resolved(resolved())

    (line,) = await written(log, pages)
    assert line.pop("time") == "2026-11-21T22:26:40.123Z"
    assert line == {
        "event": "llm_route_resolved",
        "level": "info",
        "sampled": True,
        "sample_rate": 0.01,
        "trace_id": None,
        "policy_version": "9f86d081884c",
        "purpose": "plan_create",
        "profile": "first",
        "tier": "kilo-auto/frontier",
        "profile_overridden": False,
        "attempts": 2,
        "decision_id": "0190f1f0-0000-7000-8000-000000000000",
        "duration_ms": 4.2,
        "run_hash": "c" * 16,
    }


async def test_one_in_a_hundred_is_drawn_until_told_otherwise(
    log: DecisionLog, pages: Pages, dice: Dice
) -> None:
    for shown in (0.0, 0.0099, 0.01, 0.5):
        dice.shows = shown
        log.on_decision(routed())

    assert [line["sample_rate"] for line in await written(log, pages)] == [0.01, 0.01]


async def test_a_line_names_the_trace_that_it_was_made_in(log: DecisionLog, pages: Pages) -> None:
    context = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(0))
    log.on_decision(failed())
    with use_span(NonRecordingSpan(context)):
        log.on_decision(failed())

    lines = await written(log, pages)
    assert [line["trace_id"] for line in lines] == [None, f"{0xABC:032x}"]


async def test_it_can_be_told_to_write_elsewhere(
    log: DecisionLog, pages: Pages, tmp_path: Any
) -> None:
    file = tmp_path / "decisions.log"
    log.on_decision(failed("timeout"))
    async with asyncio.timeout(5):
        while not pages.text:  # noqa: ASYNC110 - written by a thread
            await asyncio.sleep(0.005)

    log.write_to(LogRules(stdout=False, file=str(file)))
    log.on_decision(failed("fetch"))

    assert [line["status"] for line in await written(log, pages)] == ["router_error:timeout"]
    assert json.loads(file.read_bytes())["status"] == "router_error:fetch"
