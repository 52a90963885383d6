"""`pointsman morph-api`: the embedded engine behind Morph's HTTP interface."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.core.errors import SettingInvalid, SourceUnreadable
from pointsman_server.core.model import CatalogModel
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local import LocalEngine
from pointsman_server.lib.host_port import parse_host_port
from pointsman_server.morph_api import (
    FaultScript,
    FixedKeys,
    KeyFile,
    KeySource,
    build_app,
)
from pointsman_server.morph_api import serve as listen
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.settings import stays_here
from pointsman_server.telemetry import tracing

SERVICE = "pointsman-morph-api"
"""Its name in traces unless `OTEL_*` gives another: it may run beside a Pointsman."""
_PLAINTEXT = (
    "other machines may reach it, and it would listen in plaintext: put a proxy with TLS before a"
    " loopback address, or, where the network is trusted, add --plaintext-beyond-loopback"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MorphApiSettings:
    """Where to listen, what to decide by, who may ask."""

    listen: str
    policy_file: Path | None
    keys_file: Path | None
    key_env: str | None
    faults: bool
    plaintext_beyond_loopback: bool
    """Listen where other machines reach it: there is no TLS here."""


async def serve_morph_api(settings: MorphApiSettings, *, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises where it cannot, or is not asked to in words."""
    if not (settings.plaintext_beyond_loopback or stays_here(settings.listen)):
        raise SettingInvalid("--listen", f"{settings.listen}: {_PLAINTEXT}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rules = PolicyConfig(settings.policy_file).load().policy_file
    local = LocalEngine.load(rules.local)
    keys = _keys(settings)
    host, port = parse_host_port(settings.listen)
    async with tracing(os.environ, service=SERVICE) as tracer:
        app = build_app(
            engine=local,
            classifier=local,
            models=_by_router_id(rules),
            keys=keys,
            faults=FaultScript() if settings.faults else None,
            tracer=tracer,
        )
        listening = await listen(app, host=host, port=port)
        say(f"pointsman morph-api serving on {listening.url} | policy {rules.version}")
        try:
            await stop.wait()
        finally:
            await listening.aclose()


def _by_router_id(rules: PolicyFile) -> dict[str, CatalogModel]:
    """What is known of each router id; the first public id wins, as in decisions."""
    models: dict[str, CatalogModel] = {}
    for model in rules.catalog.values():
        if model.router_id is not None:
            models.setdefault(model.router_id, model)
    return models


def _keys(settings: MorphApiSettings) -> KeySource:
    if settings.keys_file is not None:
        return KeyFile(settings.keys_file)
    key = os.environ.get(settings.key_env or "", "").strip()
    if not key:
        raise SourceUnreadable(f"environment variable {settings.key_env} holds no key")
    return FixedKeys((key,))
