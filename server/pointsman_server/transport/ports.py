"""Ports of `transport`: the services behind the RPCs and the spans of calls.

`bootstrap` builds the services, `telemetry` the spans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry.context import Context as TraceContext
from opentelemetry.trace import Span
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.decision_record import CachedDecisionDetail, DecisionRecord
from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.core.preparation import Prepared
from pointsman_server.core.routes import Resolution, ResolveRequest


class SampledCall(Protocol):
    """The span of a recorded call; `end_cached` or `open` consumes it.

    The sampling decision comes before the outcome is known. A call answered from the cache then
    never pays for an SDK span.
    """

    def end_cached(
        self,
        record: DecisionRecord,
        *,
        decision_id: str,
        detail: Callable[[], CachedDecisionDetail],
    ) -> None:
        """End the span of a cached answer like `record`. Never raises.

        `detail` runs later, in another thread; it returns the differences to `record`.
        """
        ...

    def open(self) -> Span:
        """Return a writable span; it does not become the current span."""
        ...


class CallSpans(Protocol):
    """Samples calls."""

    def sample(self, method: str, trace: TraceContext | None) -> SampledCall | None:
        """Return the span of a call that begins, or `None` if the call is not recorded."""
        ...

    def unrecorded(self, method: str, trace: TraceContext | None) -> Span:
        """Return a non-recording span that propagates the caller's trace."""
        ...


class Decides(Protocol):
    """Decides one routing request."""

    async def decide(
        self,
        request: RouteRequest,
        *,
        deadline: float | None = None,
        log_sampled: bool | None = None,
        prepared: Prepared | None = None,
    ) -> Outcome:
        """Decide `request`; `log_sampled` is the decision log's draw, if made already."""
        ...


class Resolves(Protocol):
    """Resolves one purpose."""

    async def resolve(
        self, request: ResolveRequest, *, deadline: float | None = None
    ) -> Resolution:
        """Resolve `request`."""
        ...


class Answers(Protocol):
    """The fast path: cached answers as bytes."""

    def answer(
        self, message: pb.RouteDecisionRequest, span: SampledCall | None = None
    ) -> bytes | Prepared | None:
        """Return the serialized response; else the preparation for the decider, if there is one.

        An answer ends `span`, the span of a recorded call.
        """
        ...


class Service(Protocol):
    """The services under one version of the policy file; a reload swaps the whole."""

    def log_sampled(self) -> bool | None:
        """Return whether the decision log samples the next call, which then skips the fast path.

        `None`: the log draws later.
        """
        ...

    @property
    def fast_path(self) -> Answers:
        """Answers from the cache."""
        ...

    @property
    def decider(self) -> Decides:
        """Decides on a cache miss."""
        ...

    @property
    def resolver(self) -> Resolves:
        """Resolves purposes."""
        ...


class Turns(Protocol):
    """Schedules CPU work on the event loop fairly between callers."""

    async def take(self, *, light: bool = False) -> bool:
        """Return when the turn of the current context's `WORK` comes; `True` if it waited."""
        ...
