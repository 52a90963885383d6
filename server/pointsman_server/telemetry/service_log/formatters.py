"""The process's own log: one line per event on standard error, for machines or for people.

It must never contain callers' data. So errors are logged by type and location, not by their text,
which may quote a request; only errors of this service and of the system keep their text.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from traceback import walk_tb
from types import TracebackType
from typing import TextIO

from opentelemetry import trace

from pointsman_server.core.errors import PointsmanError
from pointsman_server.telemetry.decision_log.entry import rfc3339
from pointsman_server.telemetry.service_log.library_log import safe_message
from pointsman_server.telemetry.service_log.redaction import Redaction
from pointsman_server.telemetry.service_log.uncaught import log_uncaught

OURS = "pointsman_server"
FORMATS = ("auto", "json", "text")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(
    level: str = "INFO",
    fmt: str = "auto",
    *,
    stream: TextIO | None = None,
    secrets: Callable[[], Iterable[str]] = tuple,
) -> Callable[[], None]:
    """Set up `logging` for this process; the returned function undoes it.

    `level` is for this service; libraries speak from WARNING on, since their lower levels quote
    headers and bodies. `fmt` `auto` is text on a terminal and JSON elsewhere. Raises `ValueError`.
    """
    level = level.upper()
    if level not in LEVELS:
        raise ValueError(f"log level: must be one of {', '.join(LEVELS)}")
    if fmt not in FORMATS:
        raise ValueError(f"log format: must be one of {', '.join(FORMATS)}")
    stream = stream or sys.stderr
    text = fmt == "text" or (fmt == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    redaction = Redaction(secrets)
    handler.setFormatter(TextLines(redaction) if text else JsonLines(redaction))
    return _install(handler, level)


def _install(handler: logging.Handler, level: str) -> Callable[[], None]:
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    former = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ours.setLevel(level)
    logging.captureWarnings(capture=True)
    restore_hooks = log_uncaught()

    def undo() -> None:
        restore_hooks()
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        root.setLevel(former[0])
        ours.setLevel(former[1])

    return undo


class _Redacting(logging.Formatter):
    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction


class JsonLines(_Redacting):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as a line without its feed."""
        fields: dict[str, object] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redaction(safe_message(record)),
        }
        if (span := trace.get_current_span().get_span_context()).is_valid:
            fields["trace_id"] = trace.format_trace_id(span.trace_id)
        for name, value in extras_of(record):
            fields[name] = self._redaction(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = [self._redaction(line) for line in error_lines(record.exc_info[1])]
        return json.dumps(fields, separators=(",", ":"))


class TextLines(_Redacting):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as one line, with an error's locations on separate lines."""
        pairs = "".join(f" {name}={value}" for name, value in extras_of(record))
        clock = rfc3339(record.created)[11:23]
        message = " ".join(safe_message(record).splitlines())
        lines = [f"{clock} {record.levelname:<7} {record.name}: {message}{pairs}"]
        if record.exc_info and record.exc_info[1] is not None:
            lines += [f"    {line}" for line in error_lines(record.exc_info[1])]
        return self._redaction("\n".join(lines))


def extras_of(record: logging.LogRecord) -> Iterator[tuple[str, str | float | bool | None]]:
    """Plain values of the logging call's `extra`."""
    for name, value in vars(record).items():
        if name not in _STANDARD and (value is None or isinstance(value, (str, int, float))):
            yield name, value


def error_lines(error: BaseException) -> list[str]:
    """Type and location of an error, outermost call first; causes follow."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(_described(current))
        lines += _places(current.__traceback__)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return lines


def _described(error: BaseException) -> str:
    kind = type(error).__qualname__
    if isinstance(error, PointsmanError):
        return f"{kind}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    return kind


def _places(traceback: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(traceback):
        code = frame.f_code
        yield f"at {code.co_filename}:{line} in {code.co_qualname}"
