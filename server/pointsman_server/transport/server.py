"""The gRPC server: its options, its services, its start and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from pointsman.v1 import routing_service_pb2

from pointsman_server.transport.decode import BATCH_REQUESTS, REQUEST_BYTES
from pointsman_server.transport.rpc import SERVICE
from pointsman_server.transport.servicer import RoutingServicer

MESSAGE_BYTES = BATCH_REQUESTS * (REQUEST_BYTES + 4)
"""A full batch of the largest requests, each behind four bytes of framing: 16 MiB. A single request
that is too large stays below it, and so is refused by field."""

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    # gRPC's own overload guards drop calls silently above a thousand waiting ones (the caller
    # sees CANCELLED). The gate of `rpc` refuses with a status and a time to come back instead.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.http.overload_protection", 0),
    ("grpc.max_concurrent_streams", 100_000),
)


class Server:
    """One listening server with health and reflection."""

    def __init__(
        self,
        servicer: RoutingServicer,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        shares_port: bool = False,
    ) -> None:
        self._servicer = servicer
        # Only for workers: two servers on one port by accident would share its traffic silently.
        options = (*OPTIONS, ("grpc.so_reuseport", int(shares_port)))
        self._server = grpc.aio.server(interceptors=interceptors, options=options)
        self._health = HealthServicer()
        self._server.add_generic_rpc_handlers((servicer.handler(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (
            routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"].full_name,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        )
        reflection.enable_server_reflection(names, self._server)

    async def start(self, address: str) -> int:
        """Listen on `host:port` (port 0: any free one) and say SERVING; returns the port."""
        port = self._server.add_insecure_port(address)
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)
        return int(port)

    async def say_not_serving(self) -> None:
        """Tell probes and load balancers to send nothing more."""
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Take no new calls, let those inside end within `grace` seconds, close.

        Streams would outlast any grace: they are ended. By then gRPC has told their clients to
        leave (GOAWAY), so that the streams which replace them come to another server.
        """
        stopping = asyncio.create_task(self._server.stop(grace))
        await asyncio.sleep(0)
        self._servicer.end_streams()
        await stopping

    async def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", SERVICE):
            await self._health.set(service, status)
