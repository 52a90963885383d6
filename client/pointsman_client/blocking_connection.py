"""Connection for blocking calls: safe in threads, and usable in a forked child."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, cast

import grpc
from pointsman.v1 import routing_service_pb2_grpc

from pointsman_client.channel import open_blocking_channel
from pointsman_client.connection import Endpoint
from pointsman_client.errors import ClientClosed, DeadlineExceeded, Overloaded
from pointsman_client.statuses import RpcFailure, error_from
from pointsman_client.tokens import blocking_bearer
from pointsman_client.trace import trace_metadata


class BlockingConnection:
    """A channel that all threads share, opened by the first call.

    A forked child opens its own channel: the parent's connection and threads are not there.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._closed = False
        self.forget()
        _LIVE.add(self)

    def forget(self) -> None:
        """Drop the channel without closing it, for a child process."""
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stub: Any = None

    def ask(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """Call `rpc` within `timeout` seconds; waits and asks again where the service says so.

        Raises a `RoutingError`.
        """
        deadline = time.monotonic() + timeout
        pushbacks = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded("no time was left for the call")
            try:
                return self._call(rpc, message, timeout=left)
            except Overloaded as error:
                pause = error.retry_after
                out_of_time = pause is None or time.monotonic() + pause >= deadline
                if out_of_time or pushbacks == self._endpoint.retries:
                    raise
            pushbacks += 1
            time.sleep(pause or 0)

    def close(self) -> None:
        """Close the channel; calls in flight end."""
        with self._lock:
            self._closed = True
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _call(self, rpc: str, message: Any, *, timeout: float) -> Any:
        token = blocking_bearer(self._endpoint.token)
        metadata = trace_metadata()
        if token is not None:
            metadata += (("authorization", token),)
        stub = self._open()
        try:
            return getattr(stub, rpc)(message, timeout=timeout, metadata=metadata)
        except grpc.RpcError as failure:
            if self._closed:
                raise ClientClosed("the client was closed during the call") from None
            raise error_from(cast("RpcFailure", failure)) from None
        except ValueError:
            # gRPC raises this for a call on a channel that another thread has just closed.
            if self._closed:
                raise ClientClosed("the client was closed during the call") from None
            raise

    def _open(self) -> Any:
        with self._lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            if self._channel is None:
                endpoint = self._endpoint
                self._channel = open_blocking_channel(
                    endpoint.target,
                    tls=endpoint.tls,
                    keepalive=endpoint.keepalive,
                    retries=endpoint.retries,
                    options=endpoint.options,
                )
                stub: Any = routing_service_pb2_grpc.RoutingServiceStub
                self._stub = stub(self._channel)
            return self._stub


_LIVE: weakref.WeakSet[BlockingConnection] = weakref.WeakSet()


def _forget_all() -> None:
    for connection in list(_LIVE):
        connection.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
