"""How many calls may be open at once, with those whose request has not come.

gRPC reads the request of a unary call before it asks for an answer, so whoever promises one and
never sends it holds a stream, a task and their memory (some 20 KB), and the gate does not see it.
Here calls are counted from their headers on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import grpc

from pointsman_server.transport.call import CallRunner, Context

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class AdmissionHandler(grpc.GenericRpcHandler):
    """Lets at most `limit` calls of `services` be open; further ones are refused unread."""

    def __init__(self, services: grpc.GenericRpcHandler, *, limit: int, rpc: CallRunner) -> None:
        self._services = services
        self._limit = limit
        self._rpc = rpc
        self._open = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call, or one that refuses it; gRPC asks within the call's own task."""
        handler: Handler | None = self._services.service(handler_call_details)
        if handler is None:
            return None
        if self._open >= self._limit:
            method = handler_call_details.method.removeprefix("/")
            # Of the streaming kind, which reads nothing.
            return grpc.stream_stream_rpc_method_handler(partial(self._refuse, method))
        if (task := asyncio.current_task()) is not None:
            self._open += 1
            task.add_done_callback(self._leave)
        return handler

    def _leave(self, _task: object) -> None:
        self._open -= 1

    async def _refuse(self, method: str, _requests: Any, context: Context) -> None:
        await self._rpc.shed(self._rpc.origin(method, context)).end(context)


class AdmissionControl:
    """Stands for `server` where others add their services: each gets an entrance."""

    def __init__(self, server: grpc.aio.Server, *, limit: int, rpc: CallRunner) -> None:
        self._server = server
        self._limit = limit
        self._rpc = rpc

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """See `grpc.aio.Server`."""
        guarded = [AdmissionHandler(each, limit=self._limit, rpc=self._rpc) for each in handlers]
        self._server.add_generic_rpc_handlers(guarded)

    def add_registered_method_handlers(self, *_: object) -> None:
        """The same again, for servers with a table of methods; those of asyncio have none."""

    @property
    def as_server(self) -> grpc.aio.Server:
        """For functions that add services, and are written for whole servers."""
        return cast("grpc.aio.Server", self)
