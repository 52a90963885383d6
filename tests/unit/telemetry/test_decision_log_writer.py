import asyncio
import threading
from dataclasses import replace

import pytest
from pointsman_server.telemetry.decision_log.entry import LogEntry
from pointsman_server.telemetry.decision_log.sinks import Sink
from pointsman_server.telemetry.decision_log.writer import LineWriter
from support.records import routed

ENTRY = LogEntry(record=routed(), sampled=True, sample_rate=1.0, trace_id=None)


class Pages:
    def __init__(self) -> None:
        self.lines = 0
        self.closed = False

    def write(self, lines: bytes) -> None:
        self.lines += lines.count(b"\n")

    def close(self) -> None:
        self.closed = True


class Refusing(Pages):
    def write(self, lines: bytes) -> None:
        raise OSError(28, "No space left on device")


class Stuck(Pages):
    """Blocks in its first write until let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def write(self, lines: bytes) -> None:
        self.entered.set()
        self.let_go.wait(20)
        super().write(lines)


def started(*sinks: Sink, queue: int = 1_000) -> LineWriter:
    writer = LineWriter(sinks, queue=queue, gather=0.0)
    writer.start()
    return writer


async def until(condition: threading.Event) -> None:
    async with asyncio.timeout(5):
        while not condition.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.005)


async def test_everything_queued_is_written_before_it_closes() -> None:
    pages = Pages()
    writer = started(pages, queue=5_000)
    for _ in range(3_000):
        writer.put(ENTRY)

    await writer.aclose(bound=10)

    assert (pages.lines, writer.written, pages.closed) == (3_000, 3_000, True)
    assert writer.overflowed == writer.unwritten == 0


async def test_a_stuck_sink_holds_nobody_up_and_losses_are_counted() -> None:
    stuck = Stuck()
    writer = started(stuck, queue=10)
    writer.put(ENTRY)
    await until(stuck.entered)

    for _ in range(25):
        writer.put(ENTRY)

    assert writer.overflowed == 15
    stuck.let_go.set()
    await writer.aclose(bound=10)
    assert (stuck.lines, writer.written) == (11, 11)


async def test_closing_gives_a_stuck_sink_up(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Stuck()
    writer = started(stuck)
    writer.put(ENTRY)
    await until(stuck.entered)

    await writer.aclose(bound=0.05)

    assert "could not be written out in time" in caplog.text
    stuck.let_go.set()
    await writer.aclose(bound=10)


async def test_a_sink_that_refuses_is_counted_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer = started(Refusing(), queue=1_500)
    for _ in range(1_500):
        writer.put(ENTRY)

    await writer.aclose(bound=10)

    assert (writer.written, writer.unwritten) == (0, 1_500)
    assert [r.getMessage() for r in caplog.records] == [
        "the decision log cannot be written: No space left on device"
    ]


async def test_a_sink_that_refuses_takes_nothing_from_the_other() -> None:
    pages = Pages()
    writer = started(Refusing(), pages)
    writer.put(ENTRY)

    await writer.aclose(bound=10)

    assert (pages.lines, writer.written, writer.unwritten) == (1, 0, 1)


async def test_an_entry_that_cannot_be_encoded_costs_itself_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pages = Pages()
    writer = started(pages)
    writer.put(replace(ENTRY, sample_rate=object()))  # type: ignore[arg-type]
    writer.put(ENTRY)

    await writer.aclose(bound=10)

    assert (pages.lines, writer.written, writer.unwritten) == (1, 1, 1)
    assert "the decision log cannot be written: TypeError" in caplog.text


async def test_former_sinks_are_closed_when_others_take_over() -> None:
    former, later = Pages(), Pages()
    writer = started(former)
    writer.write_to([later])
    writer.put(ENTRY)

    await writer.aclose(bound=10)

    assert (former.closed, former.lines, later.lines, later.closed) == (True, 0, 1, True)
