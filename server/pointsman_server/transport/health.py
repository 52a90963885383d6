"""The health service, `grpc.health.v1.Health`, with limits separate from those of other calls.

Health needs no token, so these are the calls that a stranger can open. Each connection has a share
of the places, and a request has a quarter of a second to arrive: gRPC 1.76 buffers a message of any
size before it compares the size with the limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2 as pb

from pointsman_server.core.fair_share import FairShare
from pointsman_server.transport.call import CallRunner, Context

SERVICE = pb.DESCRIPTOR.services_by_name["Health"].full_name
REQUEST_SECONDS = 0.25
"""Seconds for a request to arrive."""
REQUEST_BYTES = 1_024
_ROUNDS = 8
"""Iterations of the event loop in which a request that arrived during a long one is still read."""
_SERVING = pb.HealthCheckResponse.SERVING


class HealthService:
    """Health of `services`, all in one state, with at most `limit` checks and `limit` watches."""

    def __init__(self, services: Collection[str], *, limit: int, rpc: CallRunner) -> None:
        self._services = frozenset(services)
        self._rpc = rpc
        self._checks, self._watches = FairShare(limit), FairShare(limit)
        self._status = pb.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the handler for a server.

        Both methods are of the streaming kind, in which gRPC leaves reading to the handler.
        """
        stream = grpc.stream_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(
            SERVICE, {"Check": stream(self._check), "Watch": stream(self._watch)}
        )

    def set(self, status: pb.HealthCheckResponse.ServingStatus) -> None:
        """Put all services in `status` and notify every watcher."""
        self._status = status
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self, _requests: Any, context: Context) -> None:
        caller = await self._enter("Check", self._checks, context)
        try:
            if await self._service(context) not in self._services:
                await context.abort(grpc.StatusCode.NOT_FOUND, "service: is not served here")
            await context.write(_response(self._status))
        finally:
            self._checks.leave(caller)

    async def _watch(self, _requests: Any, context: Context) -> None:
        caller = await self._enter("Watch", self._watches, context)
        try:
            known = await self._service(context) in self._services
            last = None
            while True:
                changed = self._changed
                status = self._status if known else pb.HealthCheckResponse.SERVICE_UNKNOWN
                if status != last:
                    await context.write(_response(status))
                    last = status
                await changed.wait()
        finally:
            self._watches.leave(caller)

    async def _enter(self, method: str, places: FairShare, context: Context) -> str | None:
        """Take a place; returns under which name. Ends the call if there is none."""
        caller = self._rpc.share_of(context)
        if not places.take(caller):
            await self._rpc.shed(self._rpc.origin(f"{SERVICE}/{method}", context)).end(context)
        return caller

    async def _service(self, context: Context) -> str:
        """Return the service that the request names. Ends the call if no request comes."""
        reading = asyncio.ensure_future(context.read())
        try:
            await asyncio.wait({reading}, timeout=REQUEST_SECONDS)
            for _ in range(_ROUNDS):
                if reading.done():
                    break
                await asyncio.sleep(0)
            else:
                late = f"request: did not arrive within {REQUEST_SECONDS} s: send it at once"
                await _refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, late)
        finally:
            reading.cancel()
        wire = reading.result()
        if isinstance(wire, bytes) and len(wire) <= REQUEST_BYTES:
            try:
                return str(pb.HealthCheckRequest.FromString(wire).service)
            except DecodeError:
                pass
        expected = f"request: must be a HealthCheckRequest of at most {REQUEST_BYTES} bytes"
        return await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, expected)


async def _refuse(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(code, text)
    raise AssertionError("abort returned")


def _response(status: pb.HealthCheckResponse.ServingStatus) -> bytes:
    return bytes(pb.HealthCheckResponse(status=status).SerializeToString())
