"""What every RPC shares: a gate against overload, a server span, and errors as statuses."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
from opentelemetry.context import Context as TraceContext
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from pointsman_server.core.errors import Overloaded, PointsmanError
from pointsman_server.core.ports import Clock
from pointsman_server.transport.errors import to_status

SERVICE = "pointsman.v1.RoutingService"
RETRY_AFTER = 0.25
"""Seconds after which a refused caller may come back."""

_log = logging.getLogger(__name__)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Answer = TypeVar("Answer")


class RpcMeter(Protocol):
    """Is told of the load."""

    def in_flight(self, change: int) -> None:
        """A call came (+1) or went (-1)."""
        ...

    def shed(self) -> None:
        """A call was refused for overload."""
        ...


class Gate:
    """Lets at most `limit` calls in at once."""

    def __init__(self, *, limit: int, meter: RpcMeter) -> None:
        self._limit = limit
        self._meter = meter
        self._inside = 0

    def __enter__(self) -> None:
        if self._inside >= self._limit:
            self._meter.shed()
            raise Overloaded(retry_after=RETRY_AFTER)
        self._inside += 1
        self._meter.in_flight(1)

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        self._meter.in_flight(-1)


class Rpc:
    """Runs the body of an RPC behind the gate and inside its span."""

    def __init__(
        self, *, gate: Gate, tracer: Tracer, propagator: TextMapPropagator, clock: Clock
    ) -> None:
        self._gate = gate
        self._tracer = tracer
        self._propagator = propagator
        self._headers = frozenset(propagator.fields)
        self._clock = clock

    async def run(
        self,
        method: str,
        context: Context,
        body: Callable[[float | None], Awaitable[Answer]],
        *,
        at_once: Callable[[], Answer | None] | None = None,
    ) -> Answer:
        """The body's answer; `body` gets the caller's deadline on the monotonic clock.

        `at_once` is asked first, where nobody follows the call in a trace: it takes no time that
        the gate would have to bound.
        """
        with self._span(method, context) as span:
            try:
                if at_once is not None and not span.is_recording():
                    answer_at_once = at_once()
                    if answer_at_once is not None:
                        return answer_at_once
                with self._gate:
                    answer = await body(self._deadline(context))
            except Exception as error:  # noqa: BLE001  (the last resort: nothing foreign leaks)
                refusal = _refusal(error)
                _mark(span, refusal.code)
            else:
                _mark(span, grpc.StatusCode.OK)
                return answer
        await context.abort(refusal.code, refusal.details, refusal.trailing_metadata)
        raise AssertionError("abort returned")

    def _span(self, method: str, context: Context) -> AbstractContextManager[Span]:
        return self._tracer.start_as_current_span(
            f"{SERVICE}/{method}",
            context=self._parent(context),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": f"{SERVICE}/{method}"},
            record_exception=False,
            set_status_on_exception=False,
        )

    def _parent(self, context: Context) -> TraceContext | None:
        """The caller's trace; most callers have none, and reading headers is not free."""
        metadata = context.invocation_metadata() or ()
        if self._headers.isdisjoint([key for key, _ in metadata]):
            return None
        return self._propagator.extract({k: v for k, v in metadata if isinstance(v, str)})

    def _deadline(self, context: Context) -> float | None:
        left: float | None = context.time_remaining()
        return None if left is None else self._clock.monotonic() + left


def _refusal(error: Exception) -> grpc.Status:
    """The error's status; of a bug, the log gets the frames but not the text."""
    if not isinstance(error, PointsmanError):
        # Frames only: the text of a foreign exception may quote the request.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("unexpected %s\n%s", type(error).__name__, frames)
    return to_status(error)


def _mark(span: Span, code: grpc.StatusCode) -> None:
    """OpenTelemetry's convention for servers: only a server's own fault is an error."""
    span.set_attribute("rpc.response.status_code", code.name)
    if code is grpc.StatusCode.INTERNAL:
        span.set_attribute("error.type", code.name)
        span.set_status(StatusCode.ERROR)
