"""`StreamRouteDecisions`: many decisions in flight on one call, each answered when it is ready.

A stream reads while it has room, so a client that does not read its answers is not read either:
gRPC's flow control does the rest. The reader itself answers cached decisions; only others become
tasks, and every task belongs to its stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import grpc

from pointsman_server.core.errors import (
    FieldViolation,
    InvalidRequest,
    StreamEnded,
    Unauthenticated,
)
from pointsman_server.lib.protobuf_wire import field
from pointsman_server.transport.call import SERVICE, CallRunner, Context, RpcError
from pointsman_server.transport.decision_handler import DecisionHandler, Done, PendingDecision
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.security.peer_identity import TOKEN_HOLDS
from pointsman_server.transport.wire_parsing import ITEM_BYTES, parsed_item

METHOD = f"{SERVICE}/StreamRouteDecisions"
CORRELATION_CODE_POINTS = 64

_CORRELATION_ID, _RESPONSE, _STATUS = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRules:
    """Limits of a stream: decisions in flight, and seconds until it ends (0: unlimited)."""

    in_flight: int = 256
    max_age: float = 3_600.0


class Streams:
    """Serves streams and ends the open ones when the server stops."""

    def __init__(self, *, rpc: CallRunner, decisions: DecisionHandler, rules: StreamRules) -> None:
        self._rpc = rpc
        self._decisions = decisions
        self._rules = rules
        self._open: set[_Stream] = set()
        self._ended = False

    async def serve(self, _requests: Any, context: Context) -> None:
        """Serve one stream until its client half-closes or the server ends it."""
        stream = _Stream(
            context, rpc=self._rpc, decisions=self._decisions, most=self._rules.in_flight
        )
        loop = asyncio.get_running_loop()
        age = loop.call_later(self._rules.max_age, stream.end) if self._rules.max_age else None
        self._open.add(stream)
        try:
            if self._ended:
                stream.end()
            broken = await stream.serve()
        finally:
            self._open.discard(stream)
            if age is not None:
                age.cancel()
        if broken is not None:
            await broken.end(context)

    def end(self) -> None:
        """Stop reading; each stream ends when its decisions in flight are answered."""
        self._ended = True
        for stream in self._open:
            stream.end()


class _Stream:
    """One stream: a reader, a task for each decision that takes time, and a writer."""

    def __init__(
        self, context: Context, *, rpc: CallRunner, decisions: DecisionHandler, most: int
    ) -> None:
        self._context = context
        self._rpc = rpc
        self._decisions = decisions
        self._origin = rpc.origin(METHOD, context)
        self._token_holds = TOKEN_HOLDS.get()
        self._deadline = rpc.deadline(context)
        self._most = most
        self._in_flight = 0
        """Decisions that were read and not yet passed to gRPC: the stream's memory."""
        self._answers: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._fewer = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._ended = False
        self._broken: RpcError | None = RpcError(to_status(StreamEnded()))

    async def serve(self) -> RpcError | None:
        """Serve the stream; returns the error that ended it, or `None` if the client ended it."""
        async with asyncio.TaskGroup() as tasks:
            reading = self._reading = tasks.create_task(self._read(tasks))
            reading.add_done_callback(lambda _: self._more.set())
            if self._ended:
                reading.cancel()
            await self._write(reading)
        return self._broken

    def end(self) -> None:
        """Stop reading requests."""
        self._ended = True
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while (wire := await self._context.read()) is not grpc.aio.EOF:
            if not self._token_holds():
                stranger = self._origin._replace(caller=None)
                sampled = self._rpc.sample(stranger)
                self._broken = self._rpc.refuse(stranger, sampled, Unauthenticated())
                return
            self._in_flight += 1
            self._take(wire, tasks)
            while self._in_flight >= self._most:
                self._fewer.clear()
                await self._fewer.wait()
        self._broken = None

    async def _write(self, reading: asyncio.Task[None]) -> None:
        """One answer at a time, as gRPC wants it, until there is nothing more to come."""
        while self._in_flight or not reading.done():
            while self._answers:
                await self._context.write(self._answers.popleft())
                self._in_flight -= 1
                self._fewer.set()
            self._more.clear()
            if self._in_flight or not reading.done():
                await self._more.wait()

    def _take(self, wire: bytes, tasks: asyncio.TaskGroup) -> None:
        """Answer at once, or leave a task behind that will."""
        asked = parsed_item(wire)
        if asked is None:
            text = f"must be a StreamRouteDecisionsRequest of at most {ITEM_BYTES} bytes"
            return self._refuse("", "request", text)
        name = asked.correlation_id
        if not 1 <= len(name) <= CORRELATION_CODE_POINTS:
            text = f"must have 1 to {CORRELATION_CODE_POINTS} characters"
            return self._refuse("", "correlation_id", text)
        origin = self._origin
        if asked.traceparent:
            headers = {"traceparent": asked.traceparent, "tracestate": asked.tracestate}
            origin = origin._replace(trace=self._rpc.trace_in(headers) or origin.trace)
        message = asked.request if asked.HasField("request") else None
        answer = self._decisions.begin(origin, message)
        if isinstance(answer, PendingDecision):
            within = asked.timeout_ms / 1_000 if asked.timeout_ms else None
            tasks.create_task(self._finish(name, answer, within))
        else:
            self._answer(name, answer)
        return None

    async def _finish(self, name: str, pending: PendingDecision, within: float | None) -> None:
        deadline = self._deadline
        self._answer(name, await self._decisions.finish(pending, deadline=deadline, within=within))

    def _refuse(self, name: str, path: str, text: str) -> None:
        error = InvalidRequest([FieldViolation(path, text)])
        rpc, origin = self._rpc, self._origin
        self._answer(name, rpc.refuse(origin, rpc.sample(origin), error))

    def _answer(self, name: str, done: Done) -> None:
        result = field(_STATUS, done.wire) if isinstance(done, RpcError) else field(_RESPONSE, done)
        self._answers.append(field(_CORRELATION_ID, name.encode()) + result)
        self._more.set()
