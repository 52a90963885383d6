"""Limit on open calls, including those whose request has not arrived.

gRPC reads the request of a unary call before it runs the handler. A call that never sends its
request holds a stream, a task and some 20 KB, and the limit on calls in flight does not see it.
Admission therefore counts calls from their headers on.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import grpc

from pointsman_server.core.fair_share import FairShare
from pointsman_server.transport.call import CallRunner, Context
from pointsman_server.transport.security.peer_identity import TOKEN_NAME

REQUEST_SECONDS = 5.0
"""Seconds that a unary call may take to send its request before another call may have its place."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[None]]


class AdmissionHandler(grpc.GenericRpcHandler):
    """Admits at most `limit` open calls of `services` and refuses further ones unread.

    Each token, and each connection of streams, has a share of the places. gRPC does not tell the
    connection of a unary call before its request has arrived, so without tokens unary calls share
    the places that are left.
    """

    def __init__(self, services: grpc.GenericRpcHandler, *, limit: int, rpc: CallRunner) -> None:
        self._services = services
        self._rpc = rpc
        self._places = FairShare(limit)
        self._handlers: dict[str, tuple[Handler, bool]] = {}
        self._waiting: dict[asyncio.Task[Any], float] = {}
        """When the unary calls began whose requests have not arrived, the oldest first."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return the handler of a call, or one that refuses it. gRPC asks in the call's task."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is None:
            found: Handler | None = self._services.service(handler_call_details)
            if found is None:
                return None
            known = self._handlers[method] = self._counted(method, found)
        handler, takes_its_place = known
        if takes_its_place:
            return handler
        caller = TOKEN_NAME.get()
        if not (self._places.take(caller) or self._takes_over(caller)):
            # Of the streaming kind, which reads nothing.
            return grpc.stream_stream_rpc_method_handler(partial(self._refuse, method))
        if (task := asyncio.current_task()) is not None:
            self._waiting[task] = time.monotonic()
            task.add_done_callback(partial(self._leave, caller))
        return handler

    def _counted(self, method: str, handler: Handler) -> tuple[Handler, bool]:
        """Return `handler` with bookkeeping, and whether it takes its place itself.

        The handler of a stream does so, because it gets the connection as soon as it runs.
        """
        if not isinstance(handler, grpc.RpcMethodHandler):
            return handler, False
        read, write = handler.request_deserializer, handler.response_serializer
        if inspect.iscoroutinefunction(handler.stream_stream):
            within = partial(self._within, method, cast("_Behaviour", handler.stream_stream))
            return grpc.stream_stream_rpc_method_handler(within, read, write), True
        if handler.unary_unary is None:
            return handler, False
        arrived = partial(self._arrived, read)
        return grpc.unary_unary_rpc_method_handler(handler.unary_unary, arrived, write), False

    async def _within(
        self, method: str, behaviour: _Behaviour, requests: Any, context: Context
    ) -> None:
        """Run the behaviour of a stream in a place of its connection's or token's share."""
        caller = self._rpc.share_of(context)
        if not self._places.take(caller):
            await self._refuse(method, requests, context)
        try:
            await behaviour(requests, context)
        finally:
            self._places.leave(caller)

    def _arrived(self, read: Callable[[bytes], Any] | None, wire: bytes) -> Any:
        """Note that the request of the current task's call has arrived, and deserialize it."""
        self._waiting.pop(cast("asyncio.Task[Any]", asyncio.current_task()), None)
        return wire if read is None else read(wire)

    def _takes_over(self, caller: str | None) -> bool:
        """Take the place of the oldest call whose request is overdue, if there is one."""
        oldest = next(iter(self._waiting), None)
        if oldest is None or time.monotonic() - self._waiting[oldest] < REQUEST_SECONDS:
            return False
        # Its place is free when it has ended; until then there is one call more.
        del self._waiting[oldest]
        oldest.cancel()
        self._places.add(caller)
        return True

    def _leave(self, caller: str | None, task: asyncio.Task[Any]) -> None:
        self._waiting.pop(task, None)
        self._places.leave(caller)

    async def _refuse(self, method: str, _requests: Any, context: Context) -> None:
        origin = self._rpc.origin(method.removeprefix("/"), context)
        await self._rpc.shed(origin).end(context)


class AdmissionControl:
    """Stands in for `server` where services are added, and limits the calls of each."""

    def __init__(self, server: grpc.aio.Server, *, limit: int, rpc: CallRunner) -> None:
        self._server = server
        self._limit = limit
        self._rpc = rpc

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """See `grpc.aio.Server`."""
        guarded = [AdmissionHandler(each, limit=self._limit, rpc=self._rpc) for each in handlers]
        self._server.add_generic_rpc_handlers(guarded)

    def add_registered_method_handlers(self, *_: object) -> None:
        """Do nothing: servers of asyncio have no table of methods."""

    @property
    def as_server(self) -> grpc.aio.Server:
        """For functions that add services to a whole server."""
        return cast("grpc.aio.Server", self)
