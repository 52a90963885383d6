"""Spans of calls, as this room needs them; `telemetry` makes them.

Whether a call is recorded is known before what becomes of it. One that is answered at once needs
little of a span: it is drawn first, and opened only where the call goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry.context import Context as TraceContext
from opentelemetry.trace import Span

from pointsman_server.core.decision_record import CachedDecisionDetail, DecisionRecord


class SampledCall(Protocol):
    """The span of a call that is recorded. It has begun, and ends one way or the other."""

    def end_cached(
        self,
        record: DecisionRecord,
        *,
        decision_id: str,
        detail: Callable[[], CachedDecisionDetail],
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

    def sample(self, method: str, trace: TraceContext | None) -> SampledCall | None:
        """The span of a call that begins; `None`: it is not recorded."""
        ...

    def unrecorded(self, method: str, trace: TraceContext | None) -> Span:
        """What stands for the span of a call that is not: it hands the caller's trace on."""
        ...
