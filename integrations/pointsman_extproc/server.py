"""The gRPC server that Envoy calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from pointsman_extproc.answers import Answer
from pointsman_extproc.incoming import Incoming
from pointsman_extproc.listen import Listen, check_free
from pointsman_extproc.processor import Processor

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
MOST_STREAMS = 1_100
"""Concurrent calls: requests, of which the processor holds 1,000, and health checks beside them.
Envoy's `failure_mode_allow` applies to further ones."""
_ROOM = 1024 * 1024  # of a message, beside the body
_LEAST_MESSAGE = 64 * 1024 * 1024
"""Envoy may buffer more of a long body than is read here; a message beyond this ends the stream."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def listening(
    processor: Processor, *, listen: Listen, most_bytes: int, grace: float
) -> AsyncIterator[str]:
    """Serve inside the block; yields the address, with the port that port 0 became.

    Raises `RuntimeError`, or `OSError`, if it cannot listen there. At the end, health reports
    NOT_SERVING, and streams have `grace` seconds to finish.
    """
    check_free(listen.address)  # here: another process may have taken it while readers started
    longest = max(most_bytes + _ROOM, _LEAST_MESSAGE)
    server = grpc.aio.server(
        maximum_concurrent_rpcs=MOST_STREAMS,
        options=(
            ("grpc.max_receive_message_length", longest),
            ("grpc.max_send_message_length", longest),
            ("grpc.so_reuseport", 0),
            # Envoy compresses no message. With all algorithms but identity (bit 0) disabled, gRPC
            # refuses a compressed message before it unpacks it.
            ("grpc.compression_enabled_algorithms_bitset", 1),
        ),
    )
    process = grpc.stream_stream_rpc_method_handler(
        processor.process,
        request_deserializer=Incoming.from_wire,
        response_serializer=_serialised,
    )
    handler = grpc.method_handlers_generic_handler(SERVICE, {"Process": process})
    server.add_generic_rpc_handlers((handler,))
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if listen.credentials is None:
        port = server.add_insecure_port(listen.address)
    else:
        port = server.add_secure_port(listen.address, listen.credentials)
    await server.start()
    for service in ("", SERVICE):
        await health.set(service, _SERVING)
    try:
        named = listen.address.removesuffix(":0")
        yield listen.address if named == listen.address else f"{named}:{port}"
    finally:
        for service in ("", SERVICE):
            await health.set(service, _NOT_SERVING)
        await server.stop(grace)


def _serialised(answer: Answer) -> bytes:
    return answer.SerializeToString()
