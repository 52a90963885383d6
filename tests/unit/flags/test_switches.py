"""Switches with a memory: off unless exactly `true`, and off when unreadable."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.decision_record import DEFAULT_RATE
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.core.model import Source
from pointsman_server.flags import FirstOf, RememberedSwitches
from support.fakes import FakeClock, ScriptedSource

ENABLED, RATE = "morph_router_enabled", "decision_log_sample_rate"
DOWN = SourceUnreadable("canary: the source's own words")


class Panel:
    """Switches, their source and their clock."""

    def __init__(self, **texts):
        self.source = ScriptedSource({k: v for k, v in texts.items() if v is not None})
        self.clock = FakeClock()
        self.switches = RememberedSwitches(self.source, clock=self.clock, memory=60.0)

    async def enabled(self):
        return (await self.switches.current()).morph_router_enabled

    def reads(self, name=ENABLED):
        return self.source.reads.count(name)


@pytest.mark.parametrize("text", ["true", " true ", "true\n", "\ttrue", "\u00a0true"])
async def test_the_flag_is_on_when_its_trimmed_text_is_true(text):
    assert await Panel(morph_router_enabled=text).enabled()


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "TRUE", "True", "1", "yes", "on", '"true"', "true,", "t rue", "truetrue"],
)
async def test_anything_else_is_off(text):
    assert not await Panel(morph_router_enabled=text).enabled()


@pytest.mark.parametrize(
    ("text", "warns"), [("1", True), ("True", True), ("true", False), ("false", False), ("", False)]
)
async def test_a_word_that_is_no_value_of_a_switch_is_warned_of(caplog, text, warns):
    with caplog.at_level(logging.WARNING):
        await Panel(morph_router_enabled=text, decision_log_sample_rate="0.5").enabled()
    said = [each.getMessage() for each in caplog.records]
    assert said == (
        [f"flag is neither `true` nor `false`, and counts as off: {ENABLED}: set it to one of them"]
        if warns
        else []
    )


@pytest.mark.parametrize("switch", [ENABLED, "decision_model_enabled"])
@given(st.text())
def test_only_the_word_true_is_on(switch, text):
    assert_on = text.strip() == "true"
    coroutine = Panel(**{switch: text}).switches.current()
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert getattr(done.value.value, switch) is assert_on


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({ENABLED: "true"}, (True, False)),
        ({"decision_model_enabled": "true"}, (False, True)),
        ({ENABLED: "true", "decision_model_enabled": DOWN}, (True, False)),
        ({ENABLED: DOWN, "decision_model_enabled": "true"}, (False, True)),
        ({}, (False, False)),
    ],
    ids=str,
)
async def test_each_kind_of_engine_has_a_switch(texts, values):
    found = await Panel(**texts).switches.current()
    assert (found.morph_router_enabled, found.decision_model_enabled) == values
    assert found.permits(Source.LOCAL)
    assert (found.permits(Source.MORPH), found.permits(Source.DECISION_MODEL)) == values


@pytest.mark.parametrize(("passed", "on"), [(0, True), (59.9, True), (60.0, False)])
async def test_a_reading_is_remembered_for_a_minute(passed, on):
    panel = Panel(morph_router_enabled="true")
    await panel.enabled()
    panel.source.texts[ENABLED] = "false"
    panel.clock.advance(passed)
    assert await panel.enabled() is on
    assert panel.reads() == (1 if on else 2)


async def test_that_a_switch_is_unset_is_remembered_too():
    panel = Panel()
    for _ in range(3):
        assert not await panel.enabled()
    assert panel.reads() == 1


@pytest.mark.parametrize("error", [DOWN, OSError("canary"), ValueError("canary")], ids=repr)
async def test_a_failed_reading_is_off_and_not_remembered(error):
    panel = Panel(morph_router_enabled=error)
    assert not await panel.enabled()
    panel.source.texts[ENABLED] = "true"
    assert await panel.enabled()
    assert panel.reads() == 2


async def test_a_failed_reading_ends_an_older_one_that_said_on():
    panel = Panel(morph_router_enabled="true")
    assert await panel.enabled()
    panel.clock.advance(60)
    panel.source.texts[ENABLED] = DOWN
    assert not await panel.enabled()


async def test_an_unreadable_source_before_one_that_says_on_means_off():
    source = FirstOf([ScriptedSource({ENABLED: DOWN}), ScriptedSource({ENABLED: "true"})])
    switches = RememberedSwitches(source, clock=FakeClock(), memory=60.0)
    assert not (await switches.current()).morph_router_enabled


async def test_failures_are_warned_of_once_a_minute_and_a_switch(caplog):
    panel = Panel(morph_router_enabled=DOWN, decision_log_sample_rate=DOWN)
    for _ in range(100):
        await panel.enabled()
        panel.clock.advance(0.5)
    assert len(caplog.records) == 2
    panel.clock.advance(10)
    await panel.enabled()
    assert len(caplog.records) == 4
    assert panel.reads() == 101


async def test_a_warning_names_the_switch_and_the_kind_of_error_only(caplog):
    await Panel(morph_router_enabled=DOWN).enabled()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (record.event, record.key, record.error) == (
        "auto_routing_config_read_failed",
        ENABLED,
        "SourceUnreadable",
    )
    assert "canary" not in repr(vars(record))


@pytest.mark.parametrize(("text", "rate"), [(None, DEFAULT_RATE), ("0.5", 0.5), ("x", 0.01)])
async def test_the_sample_rate_is_read_with_the_flag(text, rate):
    panel = Panel(decision_log_sample_rate=text)
    assert panel.switches.sample_rate == DEFAULT_RATE
    await panel.enabled()
    assert panel.switches.sample_rate == rate


async def test_a_sample_rate_that_becomes_unreadable_is_the_default_again():
    panel = Panel(decision_log_sample_rate="1")
    await panel.enabled()
    panel.clock.advance(60)
    panel.source.texts[RATE] = DOWN
    await panel.enabled()
    assert panel.switches.sample_rate == DEFAULT_RATE


async def test_one_switchs_failure_leaves_the_other_alone():
    panel = Panel(morph_router_enabled="true", decision_log_sample_rate=DOWN)
    assert await panel.enabled()
    panel = Panel(morph_router_enabled=DOWN, decision_log_sample_rate="1")
    assert not await panel.enabled()
    assert panel.switches.sample_rate == 1.0


class Waiting:
    """A source whose next reading of one switch waits, and is then answered as given."""

    def __init__(self, **texts):
        self.texts, self.held = texts, None

    def hold(self, name):
        self.held = name
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def read(self, name):
        if name == self.held:
            self.held = None
            self.asked.set()
            await self.free.wait()
        text = self.texts.get(name)
        if isinstance(text, Exception):
            raise text
        return text


async def test_a_reading_that_was_overtaken_does_not_turn_the_flag_on_again():
    clock = FakeClock()
    source = Waiting(morph_router_enabled="true", decision_log_sample_rate=DOWN)
    switches = RememberedSwitches(source, clock=clock, memory=60.0)
    assert (await switches.current()).morph_router_enabled
    clock.advance(59.9)
    source.hold(RATE)
    slow = asyncio.create_task(switches.current())
    await source.asked.wait()
    clock.advance(0.2)
    source.texts |= {ENABLED: "false", RATE: "1"}
    assert not (await switches.current()).morph_router_enabled
    source.free.set()
    await slow
    clock.advance(55)
    assert not (await switches.current()).morph_router_enabled
    assert not switches.remembered().morph_router_enabled


async def test_a_failure_that_was_overtaken_does_not_turn_the_flag_off():
    clock = FakeClock()
    source = Waiting(morph_router_enabled=DOWN, decision_log_sample_rate="1")
    switches = RememberedSwitches(source, clock=clock, memory=60.0)
    source.hold(RATE)
    slow = asyncio.create_task(switches.current())
    await source.asked.wait()
    source.texts[ENABLED] = "true"
    assert (await switches.current()).morph_router_enabled
    source.free.set()
    assert not (await slow).morph_router_enabled
    assert switches.remembered().morph_router_enabled
