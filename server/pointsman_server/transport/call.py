"""What every RPC shares: a gate against overload, a server span, and errors as statuses."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias, TypeVar

import grpc
from opentelemetry.context import Context as TraceContext
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import INVALID_SPAN, Span, StatusCode, use_span

from pointsman_server.core.errors import Overloaded, PointsmanError
from pointsman_server.core.ports import Clock
from pointsman_server.lib.safe_traceback import frames_of
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.ports import CallSpans, SampledCall

SERVICE = "pointsman.v1.RoutingService"
STATUS_TRAILER = "grpc-status-details-bin"
RETRY_AFTER = 0.25
"""Seconds after which a refused caller may come back."""

_OK = grpc.StatusCode.OK.name
_NOTHING = nullcontext()
_log = logging.getLogger(__name__)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Answer = TypeVar("Answer")
Request = TypeVar("Request")


class CallMeter(Protocol):
    """Is told of the load."""

    def in_flight(self, change: int) -> None:
        """A call came (+1) or went (-1)."""
        ...

    def shed(self) -> None:
        """A call was refused for overload."""
        ...

    def call(self, method: str | None, *, caller: str | None, status: str) -> None:
        """A call, or a decision inside one, was answered or refused.

        `method` is none of the caller's text.
        """
        ...


class ConcurrencyLimiter:
    """Lets at most `limit` calls in at once."""

    def __init__(self, *, limit: int, meter: CallMeter) -> None:
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


class CallInfo(NamedTuple):
    """Where a call, or a decision inside one, comes from. A tuple, since each call has one."""

    method: str
    """With its service: `pointsman.v1.RoutingService/RouteDecision`."""
    caller: str | None
    """The name that its token or its certificate has."""
    trace: TraceContext | None


@dataclass(frozen=True, slots=True)
class RpcError:
    """A call, or a decision inside one, that is answered by a status."""

    status: grpc.Status

    @property
    def wire(self) -> bytes:
        """The status as the message `CallStatus`."""
        return next(
            v for k, v in self.status.trailing_metadata if k == STATUS_TRAILER and type(v) is bytes
        )

    async def end(self, context: Context) -> NoReturn:
        """End a whole call by the status."""
        status = self.status
        await context.abort(status.code, status.details, status.trailing_metadata)
        raise AssertionError("abort returned")


class CallRunner:
    """Runs the body of an RPC behind the gate and inside its span."""

    def __init__(
        self,
        *,
        gate: ConcurrencyLimiter,
        spans: CallSpans,
        propagator: TextMapPropagator,
        clock: Clock,
        meter: CallMeter,
        caller: Callable[[Context], str | None],
    ) -> None:
        self._gate = gate
        self._spans = spans
        self._propagator = propagator
        self._headers = frozenset(propagator.fields)
        self._clock = clock
        self._meter = meter
        self._caller = caller

    async def run(
        self,
        method: str,
        context: Context,
        body: Callable[[float | None], Awaitable[Answer]],
    ) -> Answer:
        """The body's answer; `body` gets the caller's deadline on the monotonic clock."""
        origin = self.origin(method, context)
        span = self.open(origin, self.sample(origin))
        answer = await self.attempt(origin, span, body, self.deadline(context))
        if isinstance(answer, RpcError):
            await answer.end(context)
        return answer

    async def attempt(
        self,
        origin: CallInfo,
        span: Span,
        body: Callable[[float | None], Awaitable[Answer]],
        deadline: float | None,
    ) -> Answer | RpcError:
        """The body's answer, or how it was refused; ends `span`, and counts it."""
        with _current(span):
            try:
                with self._gate:
                    answer = await body(deadline)
            except Exception as error:  # noqa: BLE001  (the last resort: nothing foreign leaks)
                return self._refused(origin, span, error)
            _mark(span, grpc.StatusCode.OK)
            self._meter.call(origin.method, caller=origin.caller, status=_OK)
            return answer

    def try_immediate(
        self,
        origin: CallInfo,
        sampled: SampledCall | None,
        ask: Callable[[Request, SampledCall | None], Answer | None],
        request: Request,
    ) -> Answer | RpcError | None:
        """What `ask` knows without waiting, and has told `sampled`; `None`: nothing.

        It takes no time that the gate would have to bound.
        """
        try:
            answer = ask(request, sampled)
        except Exception as error:  # noqa: BLE001  (as above)
            return self.refuse(origin, sampled, error)
        if answer is not None:
            self._meter.call(origin.method, caller=origin.caller, status=_OK)
        return answer

    def refuse(self, origin: CallInfo, sampled: SampledCall | None, error: Exception) -> RpcError:
        """How `error` is answered; its span says so, and it counts."""
        span = self.open(origin, sampled)
        refused = self._refused(origin, span, error)
        span.end()
        return refused

    def shed(self, origin: CallInfo) -> RpcError:
        """How a call is answered for which there is no place."""
        self._meter.shed()
        return self.refuse(origin, self.sample(origin), Overloaded(retry_after=RETRY_AFTER))

    def beside(self, *, limit: int) -> CallRunner:
        """The same with a gate of its own: what goes through it is let in while this one sheds."""
        other = copy(self)
        other._gate = ConcurrencyLimiter(limit=limit, meter=self._meter)  # noqa: SLF001  (its own kind)
        return other

    def origin(self, method: str, context: Context) -> CallInfo:
        """Where the call, and every decision inside it, comes from; `method` with its service."""
        trace, metadata = None, context.invocation_metadata() or ()
        # Most callers have no trace, and a propagator takes its time to find none.
        for key, _ in metadata:
            if key in self._headers:
                trace = self.trace_in({k: v for k, v in metadata if isinstance(v, str)})
                break
        return CallInfo(method, self._caller(context), trace)

    def sample(self, origin: CallInfo) -> SampledCall | None:
        """The span of a call, or of one decision inside it; `None` for one that is not recorded."""
        return self._spans.sample(origin.method, origin.trace)

    def open(self, origin: CallInfo, sampled: SampledCall | None) -> Span:
        """What was sampled, to be written on; it does not become current."""
        if sampled is None:
            return self._spans.unrecorded(origin.method, origin.trace)
        return sampled.open()

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

    def _refused(self, origin: CallInfo, span: Span, error: Exception) -> RpcError:
        status = _refusal(error)
        _mark(span, status.code)
        self._meter.call(origin.method, caller=origin.caller, status=status.code.name)
        return RpcError(status)


def _current(span: Span) -> AbstractContextManager[object]:
    """Makes `span` current and ends it; one that stands for nothing costs nothing."""
    if span is INVALID_SPAN:
        return _NOTHING
    return use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)


def _refusal(error: Exception) -> grpc.Status:
    """The error's status; of a bug, the log gets the frames but not the text."""
    if not isinstance(error, PointsmanError):
        # Frames only: the text of a foreign exception may quote the request.
        frames = frames_of(error)
        _log.error("unexpected %s\n%s", type(error).__name__, frames)
    return to_status(error)


def _mark(span: Span, code: grpc.StatusCode) -> None:
    """OpenTelemetry's convention for servers: only a server's own fault is an error."""
    span.set_attribute("rpc.response.status_code", code.name)
    if code is grpc.StatusCode.INTERNAL:
        span.set_attribute("error.type", code.name)
        span.set_status(StatusCode.ERROR)
