"""What every RPC shares: a gate against overload, a server span, and errors as statuses."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
from opentelemetry.context import Context as TraceContext
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, use_span

from pointsman_server.core.errors import Overloaded, PointsmanError
from pointsman_server.core.ports import Clock
from pointsman_server.transport.errors import to_status

SERVICE = "pointsman.v1.RoutingService"
STATUS_TRAILER = "grpc-status-details-bin"
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


@dataclass(frozen=True, slots=True)
class Refused:
    """A call, or a decision inside one, that is answered by a status."""

    status: grpc.Status

    @property
    def wire(self) -> bytes:
        """The status as the message `CallStatus`."""
        return next(
            v for k, v in self.status.trailing_metadata if k == STATUS_TRAILER and type(v) is bytes
        )


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
    ) -> Answer:
        """The body's answer; `body` gets the caller's deadline on the monotonic clock."""
        span = self.open(method, self.trace_of(context))
        return await self.answer(await self.attempt(span, body, self.deadline(context)), context)

    async def attempt(
        self,
        span: Span,
        body: Callable[[float | None], Awaitable[Answer]],
        deadline: float | None,
    ) -> Answer | Refused:
        """The body's answer, or how it was refused; ends `span`."""
        with use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                with self._gate:
                    answer = await body(deadline)
            except Exception as error:  # noqa: BLE001  (the last resort: nothing foreign leaks)
                return _refused(span, error)
            _mark(span, grpc.StatusCode.OK)
            return answer

    def at_once(self, span: Span, ask: Callable[[bool], Answer | None]) -> Answer | Refused | None:
        """What `ask` knows without waiting; `None`: nothing, and `span` is still open.

        `ask` is told whether the span, which is current then, records. It takes no time that the
        gate would have to bound.
        """
        try:
            if not span.is_recording():
                return ask(False)  # noqa: FBT003
            with use_span(span, record_exception=False, set_status_on_exception=False):
                answer = ask(True)  # noqa: FBT003
        except Exception as error:  # noqa: BLE001  (as above)
            return self.refuse(span, error)
        if answer is not None:
            _mark(span, grpc.StatusCode.OK)
            span.end()
        return answer

    def refuse(self, span: Span, error: Exception) -> Refused:
        """How `error` is answered; ends `span`."""
        refused = _refused(span, error)
        span.end()
        return refused

    async def answer(self, answer: Answer | Refused, context: Context) -> Answer:
        """The answer of a whole call; one that was refused ends by its status."""
        if not isinstance(answer, Refused):
            return answer
        status = answer.status
        await context.abort(status.code, status.details, status.trailing_metadata)
        raise AssertionError("abort returned")

    def open(self, method: str, trace: TraceContext | None) -> Span:
        """The span of a call, or of one decision inside it; it does not become current."""
        name = f"{SERVICE}/{method}"
        attributes = {"rpc.system.name": "grpc", "rpc.method": name}
        return self._tracer.start_span(name, trace, SpanKind.SERVER, attributes)

    def trace_of(self, context: Context) -> TraceContext | None:
        """The caller's trace; most callers have none, and reading headers is not free."""
        metadata = context.invocation_metadata() or ()
        if self._headers.isdisjoint([key for key, _ in metadata]):
            return None
        return self.trace_in({k: v for k, v in metadata if isinstance(v, str)})

    def trace_in(self, headers: Mapping[str, str]) -> TraceContext:
        """The trace that these headers tell of."""
        return self._propagator.extract(headers)

    def deadline(self, context: Context) -> float | None:
        """The caller's deadline on the monotonic clock."""
        left: float | None = context.time_remaining()
        return None if left is None else self.after(left)

    def after(self, seconds: float) -> float:
        """The moment so many seconds from now on the monotonic clock."""
        return self._clock.monotonic() + seconds


def _refused(span: Span, error: Exception) -> Refused:
    status = _refusal(error)
    _mark(span, status.code)
    return Refused(status)


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
