import asyncio
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineFailure
from pointsman_server.telemetry.service_log.formatters import OURS, configure_logging

CANARY = "canary-of-a-prompt"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def undo() -> Iterator[list[Callable[[], None]]]:
    todo: list[Callable[[], None]] = []
    yield todo
    for step in todo:
        step()


Log = Callable[..., io.StringIO]


@pytest.fixture
def configured(undo: list[Callable[[], None]]) -> Log:
    def configure(
        level: str = "info", fmt: str = "json", *, stream: io.StringIO | None = None, **rest: Any
    ) -> io.StringIO:
        stream = stream or io.StringIO()
        undo.append(configure_logging(level, fmt, stream=stream, **rest))
        return stream

    return configure


def logger() -> logging.Logger:
    return logging.getLogger(f"{OURS}.somewhere")


def only_line(stream: io.StringIO) -> dict[str, Any]:
    (text,) = stream.getvalue().splitlines()
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_is_an_object_with_what_was_said(configured: Log) -> None:
    stream = configured()

    logger().info("reloaded %s", "it", extra={"path": "here", "count": 2, "object": object()})

    line = only_line(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "pointsman_server.somewhere",
        "message": "reloaded it",
        "path": "here",
        "count": 2,
    }


def test_a_line_names_its_trace(configured: Log) -> None:
    stream = configured()
    context = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(0))

    with use_span(NonRecordingSpan(context)):
        logger().warning("here")

    assert only_line(stream)["trace_id"] == f"{0xABC:032x}"


@pytest.mark.parametrize(
    ("fmt", "stream", "text"),
    [
        ("auto", Terminal(), True),
        ("auto", io.StringIO(), False),
        ("text", io.StringIO(), True),
        ("json", Terminal(), False),
    ],
)
def test_people_read_text_and_machines_json(
    configured: Log, fmt: str, stream: io.StringIO, text: bool
) -> None:
    configured(fmt=fmt, stream=stream)

    logger().warning("two\nlines", extra={"count": 2})

    (line,) = stream.getvalue().splitlines()
    assert line.startswith("{") != text
    if text:
        assert line.endswith("WARNING pointsman_server.somewhere: two lines count=2")


def fail() -> None:
    try:
        dict[str, int]()[CANARY]
    except KeyError as error:
        raise ValueError(f"cannot use {CANARY}") from error


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_an_error_is_told_by_type_and_place_without_its_text(configured: Log, fmt: str) -> None:
    stream = configured(fmt=fmt)
    try:
        fail()
    except ValueError:
        logger().exception("a bug")

    text = stream.getvalue()
    assert CANARY not in text
    assert "ValueError" in text
    assert "KeyError" in text
    assert "test_service_log.py" in text
    assert "in fail" in text


def test_errors_of_our_own_and_of_the_system_speak_for_themselves(configured: Log) -> None:
    stream = configured()
    for error in (
        EngineFailed(EngineFailure(engine="morph", stage="http_503")),
        FileNotFoundError(2, "No such file or directory", "/secret/path"),
    ):
        logger().warning("failed", exc_info=error)

    first, second = (json.loads(line)["error"] for line in stream.getvalue().splitlines())
    assert first == ["EngineFailed: morph: http_503"]
    assert second == ["FileNotFoundError: No such file or directory"]


async def test_a_task_that_nobody_awaits_does_not_quote_its_error(configured: Log) -> None:
    stream = configured()

    async def doomed() -> None:
        raise ValueError(CANARY)

    task = asyncio.ensure_future(doomed())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {
            "message": "Task exception was never retrieved",
            "exception": task.exception(),
            "future": task,
        }
    )

    line = only_line(stream)
    assert line["message"] == "Task exception was never retrieved"
    assert CANARY not in json.dumps(line)


def test_secrets_are_redacted_in_message_extras_and_errors(configured: Log) -> None:
    stream = configured(secrets=lambda: ["key-of-morph"])

    logger().warning(
        "sent %s",
        "key-of-morph",
        extra={"also": "key-of-morph"},
        exc_info=OSError(1, "key-of-morph"),
    )

    assert "key-of-morph" not in stream.getvalue()
    assert stream.getvalue().count("[redacted]") == 3


def test_the_level_is_for_this_service_and_libraries_only_warn(configured: Log) -> None:
    stream = configured(level="debug")

    logger().debug("ours")
    logging.getLogger("httpx").info("theirs")
    logging.getLogger("grpc").warning("their warning")

    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == ["ours", "their warning"]


def test_warnings_are_logged(configured: Log) -> None:
    stream = configured()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("beware", stacklevel=1)

    assert "beware" in only_line(stream)["message"]


@pytest.mark.parametrize(
    ("level", "fmt", "named"), [("loud", "json", "log level"), ("info", "xml", "log format")]
)
def test_a_bad_setting_is_named(level: str, fmt: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: must be one of "):
        configure_logging(level, fmt)


def test_undone_it_leaves_nothing_behind() -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.getLogger(OURS).level

    configure_logging("debug", "json", stream=io.StringIO())()

    assert (root.level, list(root.handlers), logging.getLogger(OURS).level) == before
