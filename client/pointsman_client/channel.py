"""Channel arguments: transport security, keepalive, retries, channel options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio

SERVICE = "pointsman.v1.RoutingService"

_MOST_RETRIES = 4  # gRPC allows five attempts
_RETRY_TOKENS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Transport security. All are PEM; without `root_certificates` the system's roots hold.

    `certificate_chain` and `private_key` identify the client to a service that asks for it; one
    without the other is a `ValueError`.
    `server_name` is the name that the service's certificate must bear, where it is not the host
    of the target.
    """

    root_certificates: bytes | None = None
    certificate_chain: bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_chain is None) != (self.private_key is None):
            raise ValueError("a client certificate and its private key need each other")

    @classmethod
    def from_files(
        cls,
        *,
        roots: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        server_name: str | None = None,
    ) -> Tls:
        """Read each file that is named, once; raises `OSError` for one that cannot be read."""
        return cls(
            root_certificates=Path(roots).read_bytes() if roots else None,
            certificate_chain=Path(certificate).read_bytes() if certificate else None,
            private_key=Path(key).read_bytes() if key else None,
            server_name=server_name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """HTTP/2 pings that notice a dead connection before a call does; in seconds.

    A service closes connections that ping more often than it allows. Pointsman allows a ping every
    ten seconds, with and without calls; a proxy in between may allow fewer.
    """

    every: float = 300.0
    timeout: float = 5.0
    without_calls: bool = False


def open_channel(
    target: str,
    *,
    tls: Tls | None,
    keepalive: Keepalive | None,
    retries: int,
    options: Mapping[str, int | str],
) -> grpc.aio.Channel:
    """Open a channel on the running loop; `options` are gRPC channel arguments, and win."""
    arguments = _arguments(tls=tls, keepalive=keepalive, retries=retries) | dict(options)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=tuple(arguments.items()))
    return grpc.aio.secure_channel(target, _credentials(tls), options=tuple(arguments.items()))


def open_blocking_channel(
    target: str,
    *,
    tls: Tls | None,
    keepalive: Keepalive | None,
    retries: int,
    options: Mapping[str, int | str],
) -> grpc.Channel:
    """Open a channel for blocking calls from any thread."""
    arguments = _arguments(tls=tls, keepalive=keepalive, retries=retries) | dict(options)
    if tls is None:
        return grpc.insecure_channel(target, options=tuple(arguments.items()))
    return grpc.secure_channel(target, _credentials(tls), options=tuple(arguments.items()))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=tls.root_certificates,
        private_key=tls.private_key,
        certificate_chain=tls.certificate_chain,
    )


def service_config(retries: int) -> str:
    """Retries by gRPC itself, as a service config (JSON), with a budget.

    `UNAVAILABLE`, and `CANCELLED`, the status of a stopping server for calls that no handler has
    seen yet. A call that its own caller cancels is not retried.

    The budget (`retryThrottling`) stops retries while more than about one call in ten fails, so
    that an outage does not multiply the load on a service that is coming back. Half of it may be
    spent at once: a server process that dies fails every call on its connection together, and
    those are to be answered by another one.
    """
    method: dict[str, object] = {"name": [{"service": SERVICE}]}
    if retries:
        method["retryPolicy"] = {
            "maxAttempts": min(retries, _MOST_RETRIES) + 1,
            # Longer than the first pause before reconnecting, below: until a channel has its
            # connection back, gRPC fails calls instead of holding them.
            "initialBackoff": "0.05s",
            "maxBackoff": "0.2s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
        }
    # `streaming` reopens a stream, because it knows the unanswered requests.
    stream = {"name": [{"service": SERVICE, "method": "StreamRouteDecisions"}]}
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [method, stream],
            "retryThrottling": {"maxTokens": _RETRY_TOKENS, "tokenRatio": 0.1},
        }
    )


def _arguments(
    *,
    tls: Tls | None,
    keepalive: Keepalive | None,
    retries: int,
) -> dict[str, int | str]:
    arguments: dict[str, int | str] = {
        "grpc.primary_user_agent": "pointsman-client-python",
        "grpc.service_config": service_config(retries),
        # Also without a policy: a call that never reached a server, because its connection was
        # just closing, is sent again on the next one.
        "grpc.enable_retries": 1,
        # After an outage a gateway wants its service back in seconds; gRPC waits up to 120. The
        # first attempt may meet the socket of a server that is just dying.
        "grpc.initial_reconnect_backoff_ms": 20,
        "grpc.max_reconnect_backoff_ms": 5_000,
        # An `http_proxy` that is meant for the internet is no way to a neighbour.
        "grpc.enable_http_proxy": 0,
        # Clients of one target do not share a connection, nor its back-off.
        "grpc.use_local_subchannel_pool": 1,
    }
    if tls is not None and tls.server_name:
        arguments["grpc.ssl_target_name_override"] = tls.server_name
    if keepalive is not None:
        arguments |= {
            "grpc.keepalive_time_ms": round(keepalive.every * 1_000),
            "grpc.keepalive_timeout_ms": round(keepalive.timeout * 1_000),
            "grpc.keepalive_permit_without_calls": int(keepalive.without_calls),
            "grpc.http2.max_pings_without_data": 0,
        }
    return arguments
