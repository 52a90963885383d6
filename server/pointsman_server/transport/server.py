"""The gRPC server: options, services, start and graceful stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_channelz.v1._async import ChannelzServicer
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from pointsman_server.transport.admission import AdmissionControl, AdmissionHandler
from pointsman_server.transport.call import SERVICE
from pointsman_server.transport.channel_args import Limits, options
from pointsman_server.transport.connection_shares import keep_shares
from pointsman_server.transport.health import SERVICE as HEALTH
from pointsman_server.transport.health import HealthService
from pointsman_server.transport.servicer import RoutingServicer

_SERVED = (SERVICE, HEALTH)


class Server:
    """One listening server with health; a server `for_admins` adds reflection and channelz."""

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
        self._connections = limits.connections
        self._shares: asyncio.Task[None] | None = None
        arguments = options(limits, shares_port=shares_port)
        self._server = grpc.aio.server(interceptors=interceptors, options=arguments)
        self._health = HealthService(("", SERVICE), limit=limits.connections, rpc=servicer.rpc)
        entrance = AdmissionHandler(servicer.handler(), limit=limits.open_calls, rpc=servicer.rpc)
        self._server.add_generic_rpc_handlers((entrance, self._health.handler()))
        if for_admins:
            beside = AdmissionControl(
                self._server, limit=limits.connections, rpc=servicer.rpc
            ).as_server
            channelz_pb2_grpc.add_ChannelzServicer_to_server(ChannelzServicer(), beside)
            channelz = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
            names = (*_SERVED, channelz, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, beside)

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `address` (port 0: any free one), report SERVING and return the port.

        In plaintext without `credentials`. Raises `RuntimeError` if it cannot listen.
        """
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._server.start()
        self._health.set(health_pb2.HealthCheckResponse.SERVING)
        sharing = keep_shares(int(port), limit=self._connections)
        self._shares = asyncio.create_task(sharing, name="connection shares")
        return int(port)

    def say_not_serving(self) -> None:
        """Report NOT_SERVING to probes, watchers and load balancers."""
        self._health.set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Accept no new calls, let open calls end within `grace` seconds, then close.

        Streams would outlast any grace, so they are ended. gRPC has sent GOAWAY by then, so the
        streams that replace them go to another server.
        """
        stopping = asyncio.create_task(self._server.stop(grace))
        await asyncio.sleep(0)
        self._servicer.end_streams()
        await stopping
        if self._shares is not None:
            self._shares.cancel()
