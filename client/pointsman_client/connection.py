# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""One channel and the way of one call over it: token, metadata, call, pushback."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import grpc
import grpc.aio
from pointsman.v1 import routing_service_pb2_grpc

from pointsman_client.channel import Keepalive, Tls, open_channel
from pointsman_client.errors import (
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    Overloaded,
    RoutingError,
)
from pointsman_client.statuses import RpcFailure, error_from
from pointsman_client.tokens import TokenSource, bearer
from pointsman_client.trace import trace_metadata

Answer = TypeVar("Answer")
Metadata = tuple[tuple[str, str], ...]

_log = logging.getLogger("pointsman_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of the service, with its channel options."""

    target: str
    token: TokenSource | None = field(repr=False)
    tls: Tls | None
    retries: int
    keepalive: Keepalive | None
    options: Mapping[str, int | str]


class Connection:
    """A channel on one loop, opened by the first call."""

    def __init__(self, endpoint: Endpoint, *, closed: bool = False) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._closed = closed

    @property
    def retries(self) -> int:
        """The number of retries of a call."""
        return self._endpoint.retries

    async def ask(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """Make a separate call; see `patiently`."""

        async def call(left: float) -> Any:
            return await self.call(rpc, message, timeout=left, trace=trace_metadata())

        return await self.patiently(call, timeout=timeout)

    async def patiently(
        self, call: Callable[[float], Awaitable[Answer]], *, timeout: float
    ) -> Answer:
        """Call until there is an answer or no time; waits if the service pushes back."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        pushbacks = 0
        while True:
            left = deadline - clock()
            if left <= 0:
                raise DeadlineExceeded("no time was left for the call")
            try:
                return await call(left)
            except Overloaded as error:
                pause = error.retry_after
                if pause is None or pushbacks == self.retries or clock() + pause >= deadline:
                    raise
            pushbacks += 1
            await asyncio.sleep(pause)

    async def aclose(self) -> None:
        """Close the channel; calls in flight end."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def call(self, rpc: str, message: Any, *, timeout: float, trace: Metadata) -> Any:
        """Make one call. Every failure becomes a `RoutingError`, without frames of gRPC."""
        with self._failures_named():
            metadata = trace + await self._authorization(timeout)
            return await getattr(self._open(), rpc)(message, timeout=timeout, metadata=metadata)

    @asynccontextmanager
    async def stream(self, rpc: str, *, timeout: float) -> AsyncIterator[Any]:
        """A stream that ends with the block; `timeout` is the token's. Errors as in `call`."""
        with self._failures_named():
            call = getattr(self._open(), rpc)(metadata=await self._authorization(timeout))
            try:
                yield call
            finally:
                call.cancel()

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as failure:
            raise error_from(cast("RpcFailure", failure)) from None
        except asyncio.CancelledError:
            # Closing the channel cancels its calls; that is no cancellation of our caller.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise ClientClosed("the client was closed during the call") from None
            raise

    async def _authorization(self, timeout: float) -> Metadata:
        try:
            async with asyncio.timeout(timeout):
                authorization = await bearer(self._endpoint.token)
        except TimeoutError:
            raise DeadlineExceeded("the token source took too long") from None
        return () if authorization is None else (("authorization", authorization),)

    def _open(self) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._channel is None:
            endpoint = self._endpoint
            self._channel = open_channel(
                endpoint.target,
                tls=endpoint.tls,
                keepalive=endpoint.keepalive,
                retries=endpoint.retries,
                options=endpoint.options,
            )
            stub: Any = routing_service_pb2_grpc.RoutingServiceStub
            self._stub = stub(self._channel)
        return self._stub


@contextmanager
def wrap_bugs() -> Iterator[None]:
    """Turn a bug of the client into a `ClientFault` with its cause, and log where it is."""
    try:
        yield
    except RoutingError:
        raise
    except Exception as error:
        # Frames only: the text of a foreign exception may quote the request.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _log.error("client fault: %s\n%s", type(error).__name__, frames)
        raise ClientFault(f"unexpected {type(error).__name__}") from error
