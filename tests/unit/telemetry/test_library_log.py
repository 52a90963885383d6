import logging
from collections.abc import Iterator

import pytest
from pointsman_server.telemetry.service_log.library_log import PAUSE, SdkLog

EXPORTER = "opentelemetry.exporter.otlp.proto.grpc.exporter"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Heard(logging.Handler):
    """What reaches the root logger. Not `caplog`: that listens to loggers that do not propagate."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        self.names.add(record.name)


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    handler = SdkLog(clock=clock)
    handler.install()
    yield clock
    handler.remove()


def test_one_line_a_minute_and_module_gets_through(clock: Clock, heard: Heard) -> None:
    for attempt in range(50):
        logging.getLogger(EXPORTER + str(attempt % 2)).warning("attempt %d failed", attempt)
    clock.now += PAUSE
    logging.getLogger(EXPORTER + "0").error("attempt 50 failed")

    assert heard.lines == [
        f"{EXPORTER}0: attempt 0 failed",
        f"{EXPORTER}1: attempt 1 failed",
        f"{EXPORTER}0: attempt 50 failed (24 more lines since the last one)",
    ]
    assert heard.names == {"pointsman_server.telemetry.service_log.library_log"}


def test_what_is_no_warning_stays_silent(clock: Clock, heard: Heard) -> None:
    logging.getLogger(EXPORTER).info("fine")

    assert heard.lines == []


def test_a_traceback_is_left_out(clock: Clock, heard: Heard) -> None:
    logging.getLogger(EXPORTER).error("while exporting", exc_info=ValueError("canary"))

    assert heard.lines == [f"{EXPORTER}: while exporting"]


def test_removed_it_gives_the_loggers_back(heard: Heard) -> None:
    handler = SdkLog()
    handler.install()
    handler.remove()

    logging.getLogger(EXPORTER).warning("heard")

    assert heard.names == {EXPORTER}
