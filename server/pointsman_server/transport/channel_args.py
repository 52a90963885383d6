"""Limits on a connection, as gRPC's channel arguments.

The names are those of gRPC core (`grpc/impl/channel_arg_names.h`). `Limits` holds the
operator's settings; the other arguments are constants of this module.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.transport.wire_parsing import BATCH_REQUESTS, REQUEST_BYTES

MESSAGE_BYTES = BATCH_REQUESTS * (REQUEST_BYTES + 4)
"""A full batch of the largest requests, each after four bytes of framing: 16 MiB. A single request
that is too large stays below it and is refused by field."""
METADATA_BYTES = 16 * 1024
"""Headers of a call. Above it gRPC refuses an increasing share, above the double all."""
PING_INTERVAL = 10.0
"""Least seconds between two pings of a client."""
PING_STRIKES = 2
"""Early pings after which the connection is closed with `too_many_pings`."""
KEEPALIVE_TIMEOUT = 20.0
"""Seconds for a peer to answer a keepalive probe."""

HANDSHAKE = 20.0
"""Seconds for the handshakes of TLS and HTTP/2; a silent peer is disconnected after them."""
_NEVER = 2**31 - 1
"""gRPC's value for an unlimited time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that an operator tunes. Times in seconds, 0 for none."""

    connections: int = 1_000
    streams: int = 256
    """Concurrent calls on a connection; clients queue further ones."""
    open_calls: int = 10_000
    """Open calls on an address, including those whose request has not arrived."""
    age: float = 300.0
    """gRPC varies it by a tenth for each connection, so that not all close at once."""
    age_grace: float = 3_660.0
    """Above the age of a stream: gRPC cancels the calls that are still open after it."""
    idle: float = 0.0
    keepalive: float = 60.0


def options(limits: Limits, *, shares_port: bool = False) -> tuple[tuple[str, int], ...]:
    """Return the arguments of a server; `shares_port` is for workers, which share one port."""
    timed = {
        "grpc.max_connection_age_ms": limits.age,
        "grpc.max_connection_age_grace_ms": limits.age_grace,
        "grpc.max_connection_idle_ms": limits.idle,
        "grpc.keepalive_time_ms": limits.keepalive,
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT,
        # For pings that measure bandwidth: an unanswered one would delay the probe.
        "grpc.http2.ping_timeout_ms": KEEPALIVE_TIMEOUT,
        "grpc.server_handshake_timeout_ms": HANDSHAKE,
        "grpc.http2.min_ping_interval_without_data_ms": PING_INTERVAL,
    }
    return (
        # gRPC unpacks a whole message before it compares its size with any limit. With all
        # algorithms but identity (bit 0) disabled it refuses a compressed message unread.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", PING_STRIKES),
        # Two servers on one port by accident would silently share its traffic.
        ("grpc.so_reuseport", int(shares_port)),
        # gRPC's own overload guards drop calls silently above a thousand waiting ones (the caller
        # sees CANCELLED). Admission refuses with a status and a retry delay instead.
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 200_000),
        ("grpc.http.overload_protection", 0),
        *((name, round(seconds * 1_000) or _NEVER) for name, seconds in timed.items()),
    )
