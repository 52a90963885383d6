"""`pointsman morph-api` and `pointsman decision-api`: the embedded engine behind HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from opentelemetry.trace import Tracer

from pointsman_server import decision_api, morph_api
from pointsman_server.core.errors import SettingInvalid, SourceUnreadable
from pointsman_server.core.model import CatalogModel
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local import LocalEngine
from pointsman_server.http_api.app import FaultRoutes
from pointsman_server.http_api.keys import FixedKeys, KeyFile, KeySource
from pointsman_server.http_api.server import serve
from pointsman_server.lib.host_port import parse_host_port
from pointsman_server.lib.start_signals import end_if_terminated
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.settings import stays_here
from pointsman_server.telemetry import tracing

_PLAINTEXT = (
    "other machines may reach it, and it would listen in plaintext: put a proxy with TLS before a"
    " loopback address, or, where the network is trusted, add --plaintext-beyond-loopback"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """An endpoint's address, its policy file and its keys."""

    listen: str
    policy_file: Path | None
    keys_file: Path | None
    key_env: str | None
    faults: bool
    plaintext_beyond_loopback: bool
    """Listen where other machines reach it: there is no TLS here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointParts:
    """The parts of an endpoint."""

    local: LocalEngine
    rules: PolicyFile
    keys: KeySource
    faults: FaultRoutes | None
    tracer: Tracer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of the commands that serve an endpoint."""

    command: str
    build: Callable[[EndpointParts], web.Application]


def _morph(parts: EndpointParts) -> web.Application:
    return morph_api.build_app(
        engine=parts.local,
        classifier=parts.local,
        models=_by_router_id(parts.rules),
        keys=parts.keys,
        faults=parts.faults,
        tracer=parts.tracer,
    )


def _decision(parts: EndpointParts) -> web.Application:
    return decision_api.build_app(
        reader=parts.local, keys=parts.keys, faults=parts.faults, tracer=parts.tracer
    )


MORPH_API = Endpoint(command="morph-api", build=_morph)
DECISION_API = Endpoint(command="decision-api", build=_decision)


async def serve_endpoint(
    endpoint: Endpoint, settings: EndpointSettings, *, say: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT. Raises `SettingInvalid` for an address beyond loopback.

    In traces its service is `pointsman-<command>` unless `OTEL_*` gives another name.
    """
    if not (settings.plaintext_beyond_loopback or stays_here(settings.listen)):
        raise SettingInvalid("--listen", f"{settings.listen}: {_PLAINTEXT}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    end_if_terminated()
    rules = PolicyConfig(settings.policy_file).load().policy_file
    host, port = parse_host_port(settings.listen)
    async with tracing(os.environ, service=f"pointsman-{endpoint.command}") as tracer:
        parts = EndpointParts(
            local=LocalEngine.load(rules.local),
            rules=rules,
            keys=_keys(settings),
            faults=_faults() if settings.faults else None,
            tracer=tracer,
        )
        listening = await serve(endpoint.build(parts), host=host, port=port)
        say(f"pointsman {endpoint.command} serving on {listening.url} | policy {rules.version}")
        try:
            await stop.wait()
        finally:
            await listening.aclose()


def _faults() -> FaultRoutes:
    # Test machinery, loaded on request alone.
    from pointsman_server.fault_injection import FaultInjection, FaultScript  # noqa: PLC0415

    return FaultInjection(FaultScript())


def _by_router_id(rules: PolicyFile) -> dict[str, CatalogModel]:
    """Give the catalog entry of each router id; the first public id wins, as in decisions."""
    models: dict[str, CatalogModel] = {}
    for model in rules.catalog.values():
        if model.router_id is not None:
            models.setdefault(model.router_id, model)
    return models


def _keys(settings: EndpointSettings) -> KeySource:
    if settings.keys_file is not None:
        return KeyFile(settings.keys_file)
    key = os.environ.get(settings.key_env or "", "").strip()
    if not key:
        raise SourceUnreadable(f"environment variable {settings.key_env} holds no key")
    return FixedKeys((key,))
