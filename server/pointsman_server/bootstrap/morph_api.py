"""`pointsman morph-api`: the embedded engine behind Morph's HTTP interface."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.engines.local import LocalEngine
from pointsman_server.morph_api import (
    FaultScript,
    FixedKeys,
    KeyFile,
    KeySource,
    build_app,
)
from pointsman_server.morph_api import serve as listen
from pointsman_server.policies.loader import load


@dataclass(frozen=True, slots=True, kw_only=True)
class MorphApiSettings:
    """Where to listen, what to decide by, who may ask."""

    listen: str
    policy_file: Path | None
    keys_file: Path | None
    key_env: str | None
    faults: bool


async def serve_morph_api(settings: MorphApiSettings, *, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rules = load(settings.policy_file).policy_file
    local = LocalEngine.load(rules.local)
    app = build_app(
        engine=local,
        classifier=local,
        models={m.router_id: m for m in reversed(rules.catalog.values()) if m.router_id},
        keys=_keys(settings),
        faults=FaultScript() if settings.faults else None,
    )
    host, _, port = settings.listen.rpartition(":")
    listening = await listen(app, host=host.strip("[]"), port=int(port))
    say(f"pointsman morph-api serving on {listening.url} | policy {rules.version}")
    try:
        await stop.wait()
    finally:
        await listening.aclose()


def _keys(settings: MorphApiSettings) -> KeySource:
    if settings.keys_file is not None:
        return KeyFile(settings.keys_file)
    key = os.environ.get(settings.key_env or "", "").strip()
    if not key:
        raise SourceUnreadable(f"environment variable {settings.key_env} holds no key")
    return FixedKeys((key,))
