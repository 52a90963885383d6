"""How much a peer may ask of a connection, as gRPC's channel arguments.

The names are those of gRPC core (`grpc/impl/channel_arg_names.h`). What an operator tunes is in
`Limits`; the rest is the same everywhere, and here.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.transport.wire_parsing import BATCH_REQUESTS, REQUEST_BYTES

MESSAGE_BYTES = BATCH_REQUESTS * (REQUEST_BYTES + 4)
"""A full batch of the largest requests, each behind four bytes of framing: 16 MiB. A single request
that is too large stays below it, and so is refused by field."""
METADATA_BYTES = 16 * 1024
"""Headers of a call. gRPC refuses ever more of those above it, and all from the double on."""
PING_INTERVAL = 10.0
"""Seconds between two pings of a client without a call in between; more often is a flood."""
PING_STRIKES = 2
"""Pings too many before the connection is closed with `too_many_pings`."""
KEEPALIVE_TIMEOUT = 20.0
"""Seconds for a peer to answer a probe."""

HANDSHAKE = 20.0
"""Seconds for TLS and HTTP/2 to come up: who says nothing holds a connection no longer."""
_NEVER = 2**31 - 1
"""What gRPC takes for no time at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What differs by place; seconds, and 0 for none."""

    connections: int = 1_000
    streams: int = 256
    """Calls at once on a connection; a client holds back further ones, it is not refused."""
    open_calls: int = 10_000
    """Calls that may be open at once, also those whose request has not come."""
    age: float = 300.0
    """gRPC draws each connection's own within a tenth of it, so that they do not go at once."""
    age_grace: float = 3_660.0
    """Over the age of a stream: gRPC cuts off what is still open when it is over."""
    idle: float = 0.0
    keepalive: float = 60.0


def options(limits: Limits, *, shares_port: bool = False) -> tuple[tuple[str, int], ...]:
    """The arguments of a server; `shares_port` is for workers, which listen together."""
    timed = {
        "grpc.max_connection_age_ms": limits.age,
        "grpc.max_connection_age_grace_ms": limits.age_grace,
        "grpc.max_connection_idle_ms": limits.idle,
        "grpc.keepalive_time_ms": limits.keepalive,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT,
        # Of pings that measure bandwidth: one that is never answered would hold up the probe.
        "grpc.http2.ping_timeout_ms": KEEPALIVE_TIMEOUT,
        "grpc.server_handshake_timeout_ms": HANDSHAKE,
        "grpc.http2.min_ping_interval_without_data_ms": PING_INTERVAL,
    }
    return (
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", PING_STRIKES),
        # Two servers on one port by accident would share its traffic silently.
        ("grpc.so_reuseport", int(shares_port)),
        # gRPC's own overload guards drop calls silently above a thousand waiting ones (the caller
        # sees CANCELLED). The gate of `rpc` refuses with a status and a time to come back instead.
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 200_000),
        ("grpc.http.overload_protection", 0),
        *((name, round(seconds * 1_000) or _NEVER) for name, seconds in timed.items()),
    )
