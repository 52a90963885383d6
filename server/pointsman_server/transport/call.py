"""Common parts of all RPCs: server span, deadline, errors as statuses."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeVar

import grpc
from opentelemetry.context import Context as TraceContext
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import INVALID_SPAN, Span, StatusCode, use_span

from pointsman_server.core.errors import Overloaded, PointsmanError, TooLate
from pointsman_server.core.fair_share import WORK, Work
from pointsman_server.core.ports import Clock
from pointsman_server.lib.safe_traceback import frames_of
from pointsman_server.transport.concurrency import RETRY_AFTER, CallMeter, ConcurrencyLimiter
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.ports import CallSpans, SampledCall, Turns

SERVICE = "pointsman.v1.RoutingService"
STATUS_TRAILER = "grpc-status-details-bin"
_OK = grpc.StatusCode.OK.name
_NOTHING = nullcontext()
_log = logging.getLogger(__name__)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Answer = TypeVar("Answer")
Request = TypeVar("Request")
Other = TypeVar("Other")


class CallInfo(NamedTuple):
    """The origin of a call, or of a decision inside one. A tuple, since every call makes one."""

    method: str
    """With its service: `pointsman.v1.RoutingService/RouteDecision`."""
    caller: str | None
    """The name of its token or certificate."""
    trace: TraceContext | None
    context: Context | None = None
    """gRPC's context of the call, from which the connection is read when it is needed."""


@dataclass(frozen=True, slots=True)
class RpcError:
    """A call, or a decision inside one, that ends with an error status."""

    status: grpc.Status

    @property
    def wire(self) -> bytes:
        """The status as a serialized `CallStatus`."""
        return next(
            v for k, v in self.status.trailing_metadata if k == STATUS_TRAILER and type(v) is bytes
        )

    async def end(self, context: Context) -> NoReturn:
        """End the call with the status."""
        status = self.status
        await context.abort(status.code, status.details, status.trailing_metadata)
        raise AssertionError("abort returned")


class CallRunner:
    """Runs the body of an RPC under the concurrency limit and inside its span."""

    def __init__(
        self,
        *,
        gate: ConcurrencyLimiter,
        spans: CallSpans,
        propagator: TextMapPropagator,
        clock: Clock,
        meter: CallMeter,
        caller: Callable[[Context], str | None],
        connection: Callable[[Context], str | None] = lambda _context: None,
        turns: Turns | None = None,
    ) -> None:
        """`caller` and `connection` name a call's peer; without `turns` work is not scheduled."""
        self._gate = gate
        self._spans = spans
        self._propagator = propagator
        self._headers = frozenset(propagator.fields)
        self._clock = clock
        self._meter = meter
        self._caller = caller
        self._connection = connection
        self._turns = turns

    async def run(
        self, method: str, context: Context, body: Callable[[float | None], Awaitable[Answer]]
    ) -> Answer:
        """Return the body's answer; `body` gets the caller's deadline on the monotonic clock."""
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
        """Return the body's answer or its refusal. Ends `span` and counts the call."""
        self._own(origin, deadline)
        with _current(span):
            try:
                with self._gate:
                    await self._turn(deadline)
                    answer = await body(deadline)
            except Exception as error:  # noqa: BLE001  (the last resort: nothing foreign leaks)
                return self._refused(origin, span, error)
            _mark(span, grpc.StatusCode.OK)
            self._meter.call(origin.method, caller=origin.caller, status=_OK)
            return answer

    async def turn(self, origin: CallInfo, deadline: float | None) -> None:
        """Let others work: return when the next turn of this call's caller comes."""
        self._own(origin, deadline)
        if self._turns is not None:
            await self._turns.take(light=True)

    def share_of(self, context: Context) -> str | None:
        """Return the name under which a call takes its share: its caller, else its connection."""
        return self._caller(context) or self._connection(context)

    def try_immediate(
        self,
        origin: CallInfo,
        sampled: SampledCall | None,
        ask: Callable[[Request, SampledCall | None], bytes | Other],
        request: Request,
    ) -> bytes | Other | RpcError:
        """Return the immediate answer of `ask`; bytes are an answer, and end `sampled`.

        It is too short to count against the concurrency limit.
        """
        try:
            answer = ask(request, sampled)
        except Exception as error:  # noqa: BLE001  (as above)
            return self.refuse(origin, sampled, error)
        if isinstance(answer, bytes):
            self._meter.call(origin.method, caller=origin.caller, status=_OK)
        return answer

    def refuse(self, origin: CallInfo, sampled: SampledCall | None, error: Exception) -> RpcError:
        """Return the refusal for `error`; records it in the span and the metrics."""
        span = self.open(origin, sampled)
        refused = self._refused(origin, span, error)
        span.end()
        return refused

    def shed(self, origin: CallInfo) -> RpcError:
        """Return the refusal of a call above a limit."""
        self._meter.shed()
        return self.refuse(origin, self.sample(origin), Overloaded(retry_after=RETRY_AFTER))

    def beside(self, *, limit: int) -> CallRunner:
        """Return a runner with a separate limit, which admits calls while this one sheds."""
        other = copy(self)
        other._gate = ConcurrencyLimiter(limit=limit, meter=self._meter)  # noqa: SLF001  (its own kind)
        other._turns = None  # noqa: SLF001
        return other

    def origin(self, method: str, context: Context) -> CallInfo:
        """Return the origin of a call; `method` includes the service."""
        trace, metadata = None, context.invocation_metadata() or ()
        # Most calls carry no trace context, and a propagator is slow to find none.
        for key, _ in metadata:
            if key in self._headers:
                trace = self.trace_in({k: v for k, v in metadata if isinstance(v, str)})
                break
        return CallInfo(method, self._caller(context), trace, context)

    def sample(self, origin: CallInfo) -> SampledCall | None:
        """Return the span of a call or of one decision inside it; `None` if it is not recorded."""
        return self._spans.sample(origin.method, origin.trace)

    def open(self, origin: CallInfo, sampled: SampledCall | None) -> Span:
        """Return a writable span for `sampled`; it does not become the current span."""
        if sampled is None:
            return self._spans.unrecorded(origin.method, origin.trace)
        return sampled.open()

    def trace_in(self, headers: Mapping[str, str]) -> TraceContext:
        """Return the trace context in `headers`."""
        return self._propagator.extract(headers)

    def deadline(self, context: Context) -> float | None:
        """Return the caller's deadline on the monotonic clock."""
        left: float | None = context.time_remaining()
        return None if left is None else self.after(left)

    def after(self, seconds: float) -> float:
        """Return the monotonic time in `seconds` from now."""
        return self._clock.monotonic() + seconds

    def _own(self, origin: CallInfo, deadline: float | None) -> None:
        """Mark the work of the current context as this call's."""
        caller = origin.caller
        if caller is None and origin.context is not None:
            caller = self._connection(origin.context)
        WORK.set(Work(caller, inf if deadline is None else deadline))

    async def _turn(self, deadline: float | None) -> None:
        """Wait for a turn. Raises `TooLate` if the deadline passed meanwhile."""
        if self._turns is None or not await self._turns.take(light=True):
            return
        if deadline is not None and self._clock.monotonic() >= deadline:
            raise TooLate

    def _refused(self, origin: CallInfo, span: Span, error: Exception) -> RpcError:
        status = _refusal(error)
        _mark(span, status.code)
        self._meter.call(origin.method, caller=origin.caller, status=status.code.name)
        return RpcError(status)


def _current(span: Span) -> AbstractContextManager[object]:
    """Make `span` current and end it; a non-recording span costs nothing."""
    if span is INVALID_SPAN:
        return _NOTHING
    return use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)


def _refusal(error: Exception) -> grpc.Status:
    """Return the status of an error. For a bug, the log gets the frames but not the text."""
    if not isinstance(error, PointsmanError):
        # Frames only: the text of a foreign exception may quote the request.
        _log.error("unexpected %s\n%s", type(error).__name__, frames_of(error))
    return to_status(error)


def _mark(span: Span, code: grpc.StatusCode) -> None:
    """Record the status; per OpenTelemetry's convention only server faults are span errors."""
    span.set_attribute("rpc.response.status_code", code.name)
    if code is grpc.StatusCode.INTERNAL:
        span.set_attribute("error.type", code.name)
        span.set_status(StatusCode.ERROR)
