"""Spans of calls, as this room needs them; `telemetry` makes them.

Whether a call is recorded is known before what becomes of it. One that is answered at once needs
little of a span: it is drawn first, and opened only where the call goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry.context import Context as TraceContext
from opentelemetry.trace import Span

from pointsman_server.core.record import DecisionRecord, KeptDetail


class DrawnSpan(Protocol):
    """The span of a call that is recorded. It has begun, and ends one way or the other."""

    def kept(
        self, record: DecisionRecord, *, decision_id: str, detail: Callable[[], KeptDetail]
    ) -> None:
        """End it: a kept decision like `record` was the answer. Never raises.

        `detail` is asked later, in another thread: what this decision has of its own.
        """
        ...

    def open(self) -> Span:
        """The same as a span that is written on. It does not become current."""
        ...


class CallSpans(Protocol):
    """Decides which calls are recorded."""

    def draw(self, method: str, trace: TraceContext | None) -> DrawnSpan | None:
        """The span of a call that begins; `None`: it is not recorded."""
        ...

    def unrecorded(self, method: str, trace: TraceContext | None) -> Span:
        """What stands for the span of a call that is not: it hands the caller's trace on."""
        ...
