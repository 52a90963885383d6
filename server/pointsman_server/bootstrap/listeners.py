"""Listening gRPC servers from the settings, with TLS or permitted plaintext."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.bootstrap.addresses import (
    TLS_SETTINGS,
    admin_address,
    rpc_address,
    why_refused,
)
from pointsman_server.bootstrap.unix_socket import claimed
from pointsman_server.core.errors import SettingInvalid, SourceUnreadable
from pointsman_server.lib.host_port import UNIX, parse_host_port
from pointsman_server.settings import (
    Settings,
    socket_path,
)
from pointsman_server.supervisor.protocol import WorkerAssignment
from pointsman_server.telemetry import Telemetry
from pointsman_server.transport.channel_args import Limits
from pointsman_server.transport.poller_priority import polite_poller
from pointsman_server.transport.security.bearer_auth import BearerAuthentication
from pointsman_server.transport.security.tls_certificates import Certificates, PemFile
from pointsman_server.transport.security.token_file import TokenFile
from pointsman_server.transport.server import Server
from pointsman_server.transport.servicer import RoutingServicer


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each address; 0 or 1 for a Unix socket."""

    rpc: int
    admin: int | None
    http: int | None


async def listen(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    *,
    servicer: RoutingServicer,
    telemetry: Telemetry,
    duty: WorkerAssignment | None,
) -> Ports:
    """Serve gRPC on both addresses until `stack` is left. Raises where it cannot listen.

    With a `duty` the first address is shared with the other workers, the admin address never is.
    """
    certificates = _certificates(settings)
    if certificates is not None:
        telemetry.watch_certificates(
            expiry=certificates.expiry,
            reloads=certificates.reloads,
            reloaded=certificates.reloaded,
        )
    tokens = _tokens(settings)
    interceptors: list[BearerAuthentication] = []
    if tokens is not None:
        telemetry.watch_tokens(tokens.reloads, reloaded=tokens.reloaded)
        interceptors.append(BearerAuthentication(tokens, meter=telemetry.metrics))
    servers: list[Server] = []
    stack.enter_context(polite_poller())
    stack.push_async_callback(_stop, servers, settings)

    async def start(address: str, *, for_admins: bool) -> int:
        server = Server(
            servicer,
            limits=_limits(settings),
            interceptors=interceptors,
            shares_port=duty is not None and not for_admins,
            for_admins=for_admins,
        )
        credentials = certificates.credentials() if certificates is not None else None
        setting = "POINTSMAN_ADMIN_LISTEN" if for_admins else "POINTSMAN_LISTEN"
        if address.startswith(UNIX):
            try:
                stack.enter_context(claimed(Path(socket_path(address))))
            except OSError as error:
                why = f"cannot listen on {address}: {error.strerror}"
                raise SettingInvalid(setting, why) from None
        try:
            port = await server.start(address, credentials)
        except RuntimeError:
            why = f"cannot listen on {address}: {why_refused(address)}"
            raise SettingInvalid(setting, why) from None
        servers.append(server)
        return port

    # First those that are taken more easily, so that no gateway is let in and cut off.
    rpc, admin = rpc_address(settings, duty), admin_address(settings, duty)
    admin_port = await start(admin, for_admins=True) if admin else None
    http_port = await _listen_http(
        stack,
        settings,
        servicer=servicer,
        telemetry=telemetry,
        certificates=certificates,
        tokens=next(iter(interceptors), None),
        shares_port=duty is not None,
    )
    return Ports(rpc=await start(rpc, for_admins=False), admin=admin_port, http=http_port)


async def _listen_http(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    *,
    servicer: RoutingServicer,
    telemetry: Telemetry,
    certificates: Certificates | None,
    tokens: BearerAuthentication | None,
    shares_port: bool,
) -> int | None:
    """Serve HTTP until `stack` is left. Its packages are imported where it is wanted only."""
    if not settings.http_listen:
        return None
    from pointsman_server.transport.http.build import build_http_server  # noqa: PLC0415
    from pointsman_server.transport.http.gate import Pages  # noqa: PLC0415

    draining = asyncio.Event()
    pages = Pages(
        ready=lambda: not draining.is_set(),
        metrics=telemetry.metrics_page,
        metrics_type=telemetry.metrics_type,
    )
    server = build_http_server(
        servicer,
        pages=pages,
        tokens=tokens,
        origins=settings.http_allowed_origins,
        connections=settings.max_connections,
        tls=certificates.ssl_context() if certificates else None,
    )
    host, port = parse_host_port(settings.http_listen)
    try:
        bound = await server.start(host, port, shares_port=shares_port)
    except OSError as error:
        why = error.strerror if error.errno is None else os.strerror(error.errno)
        text = f"cannot listen on {settings.http_listen}: {why}"
        raise SettingInvalid("POINTSMAN_HTTP_LISTEN", text) from None

    async def stop() -> None:
        draining.set()
        await asyncio.sleep(settings.drain)
        await server.stop(settings.grace)

    stack.push_async_callback(stop)
    return bound


async def _stop(servers: list[Server], settings: Settings) -> None:
    """NOT_SERVING first, so that load balancers leave before calls are refused."""
    for server in servers:
        server.say_not_serving()
    await asyncio.sleep(settings.drain)
    await asyncio.gather(*(server.stop(settings.grace) for server in servers))


def _limits(settings: Settings) -> Limits:
    return Limits(
        connections=settings.max_connections,
        streams=settings.max_concurrent_streams,
        open_calls=settings.max_open_calls,
        age=settings.max_connection_age,
        age_grace=settings.max_connection_age_grace,
        idle=settings.max_connection_idle,
        keepalive=settings.keepalive,
    )


def _tokens(settings: Settings) -> TokenFile | None:
    if settings.tokens_file is None:
        return None
    try:
        return TokenFile(settings.tokens_file)
    except SourceUnreadable as error:
        why = f"{settings.tokens_file}: {error}"
        raise SettingInvalid("POINTSMAN_TOKENS_FILE", why) from None


def _certificates(settings: Settings) -> Certificates | None:
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    client_ca = settings.tls_client_ca_file
    if certificate is None or key is None:
        for path, setting in ((certificate, "CERT"), (key, "KEY"), (client_ca, "CLIENT_CA")):
            if path is not None:
                raise SettingInvalid(f"POINTSMAN_TLS_{setting}_FILE", f"TLS needs {TLS_SETTINGS}")
        return None
    return Certificates(
        certificate=PemFile(certificate, "POINTSMAN_TLS_CERT_FILE"),
        key=PemFile(key, "POINTSMAN_TLS_KEY_FILE"),
        client_ca=PemFile(client_ca, "POINTSMAN_TLS_CLIENT_CA_FILE") if client_ca else None,
    )
