# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""One channel and the way of one call over it: token, metadata, call, pushback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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
from pointsman_client.statuses import error_from
from pointsman_client.tokens import TokenSource, bearer
from pointsman_client.trace import trace_metadata


class Connection:
    """Opens its channel at the first call, on the loop of that call, and belongs to that loop."""

    def __init__(
        self,
        target: str,
        *,
        token: TokenSource | None,
        tls: Tls | None,
        retries: int,
        keepalive: Keepalive | None,
        options: Mapping[str, int | str],
    ) -> None:
        self._target = target
        self._token = token
        self._tls = tls
        self._retries = retries
        self._keepalive = keepalive
        self._options = options
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._closed = False

    async def ask(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """Ask until there is an answer or no time; a service that pushes back is asked later."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        pushbacks = 0
        while True:
            try:
                return await self._call(rpc, message, timeout=deadline - clock())
            except Overloaded as error:
                pause = error.retry_after
                if pause is None or pushbacks == self._retries or clock() + pause >= deadline:
                    raise
            pushbacks += 1
            await asyncio.sleep(pause)

    async def aclose(self) -> None:
        """Close the channel; calls in flight end."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def _call(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """One call. Whatever goes wrong becomes a `RoutingError`, without frames of gRPC."""
        if timeout <= 0:
            raise DeadlineExceeded("no time was left for the call")
        try:
            async with asyncio.timeout(timeout):
                authorization = await bearer(self._token)
            metadata = trace_metadata()
            if authorization is not None:
                metadata += (("authorization", authorization),)
            call = getattr(self._open(), rpc)(message, timeout=timeout, metadata=metadata)
            return await call
        except grpc.aio.AioRpcError as failure:
            raise error_from(failure) from None
        except TimeoutError:
            raise DeadlineExceeded("the token source took too long") from None
        except asyncio.CancelledError:
            # Closing the channel cancels its calls; that is no cancellation of our caller.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise ClientClosed("the client was closed during the call") from None
            raise

    def _open(self) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._channel is None:
            self._channel = open_channel(
                self._target,
                tls=self._tls,
                keepalive=self._keepalive,
                retries=self._retries,
                options=self._options,
            )
            stub: Any = routing_service_pb2_grpc.RoutingServiceStub
            self._stub = stub(self._channel)
        return self._stub


@contextmanager
def faults_named() -> Iterator[None]:
    """The last resort: a bug on the way of a call becomes a `ClientFault` with its cause."""
    try:
        yield
    except RoutingError:
        raise
    except Exception as error:
        raise ClientFault(f"unexpected {type(error).__name__}") from error
