"""The gRPC server: its options, its services, its start and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_channelz.v1._async import ChannelzServicer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from pointsman.v1 import routing_service_pb2

from pointsman_server.transport.admission import AdmissionControl, AdmissionHandler
from pointsman_server.transport.call import SERVICE
from pointsman_server.transport.channel_args import Limits, options
from pointsman_server.transport.servicer import RoutingServicer

_SERVED = (
    routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"].full_name,
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
)


class Server:
    """One listening server with health; one `for_admins` also has reflection and channelz."""

    def __init__(
        self,
        servicer: RoutingServicer,
        *,
        limits: Limits,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        shares_port: bool = False,
        for_admins: bool = False,
    ) -> None:
        self._servicer = servicer
        arguments = options(limits, shares_port=shares_port)
        self._server = grpc.aio.server(interceptors=interceptors, options=arguments)
        self._health = HealthServicer()
        entrance = AdmissionHandler(servicer.handler(), limit=limits.open_calls, rpc=servicer.rpc)
        self._server.add_generic_rpc_handlers((entrance,))
        # Apart, so that a crowd of gateways does not keep probes out. A client watches health once.
        beside = AdmissionControl(
            self._server, limit=limits.connections, rpc=servicer.rpc
        ).as_server
        health_pb2_grpc.add_HealthServicer_to_server(self._health, beside)
        if for_admins:
            channelz_pb2_grpc.add_ChannelzServicer_to_server(ChannelzServicer(), beside)
            channelz = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
            names = (*_SERVED, channelz, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, beside)

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `address` (port 0: any free one) and say SERVING; returns the port.

        Without `credentials` in plaintext. Raises `RuntimeError` where it cannot listen.
        """
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
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
