"""`pointsman serve`: settings and policy file -> a listening server, and its graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from pointsman_server.bootstrap.ambient import Ambient
from pointsman_server.bootstrap.listening import check_addresses, listen
from pointsman_server.bootstrap.runtime import Runtime
from pointsman_server.bootstrap.worker import WorkerLine
from pointsman_server.bootstrap.workers.line import Duty, Report
from pointsman_server.core.description import Description
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.schema import Loaded
from pointsman_server.policies.watcher import PolicyWatcher
from pointsman_server.settings import UNIX, Settings
from pointsman_server.telemetry import Telemetry, build_telemetry
from pointsman_server.transport.callers import named_by_token, named_by_token_or_certificate
from pointsman_server.transport.rpc import Gate, Rpc
from pointsman_server.transport.servicer import RoutingServicer
from pointsman_server.transport.stream import StreamRules

HASH_KEY_BYTES = 32
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    port: int
    admin_port: int | None
    metrics_port: int | None
    runtime: Runtime
    watcher: PolicyWatcher
    telemetry: Telemetry
    config: PolicyConfig
    """What is set over the policy file; `set` works while the server runs."""


@contextlib.asynccontextmanager
async def serving(
    settings: Settings,
    *,
    ambient: Ambient | None = None,
    assignments: Sequence[str] = (),
    duty: Duty | None = None,
) -> AsyncIterator[Serving]:
    """Serve inside the block; leaving it drains calls and flushes telemetry.

    `assignments` are `path=value`, set over the policy file. With a `duty` this process is one of
    several that serve together. Raises `PolicyInvalid`, `SettingInvalid`, `SourceUnreadable` or
    `OSError` where it cannot start.
    """
    ambient = ambient or Ambient()
    config = PolicyConfig(
        settings.policy_file, environment=ambient.environment, assignments=assignments
    )
    if duty is None:
        check_addresses(settings, environment=ambient.environment)
    loaded = config.load()
    async with contextlib.AsyncExitStack() as stack:
        telemetry = await build_telemetry(
            environment=ambient.environment,
            log=loaded.policy_file.log,
            prometheus=settings.metrics_listen or None,
            dice=ambient.random,
            worker=duty.index if duty else None,
        )
        stack.push_async_callback(telemetry.aclose)
        runtime = Runtime(
            ambient=ambient,
            telemetry=telemetry,
            hash_key=_hash_key(settings, duty),
            hash_key_is_shared=bool(settings.hash_key_file or settings.hash_key),
        )
        stack.push_async_callback(runtime.aclose)
        await runtime.apply(loaded)
        telemetry.watch_cache_size(runtime.cache_size)
        telemetry.watch_circuits(runtime.circuits)
        telemetry.watch_engine_calls(runtime.engine_calls)
        telemetry.watch_loop(asyncio.get_running_loop())
        watcher = PolicyWatcher(
            path=settings.policy_file,
            config=config,
            current=loaded,
            on_loaded=runtime.apply,
            on_outcome=lambda ok: telemetry.metrics.reload(ok=ok),
            interval=settings.reload_interval,
        )
        await stack.enter_async_context(watcher)

        async def describe() -> Description:
            state = watcher.state
            return await runtime.describe(
                loaded_at=state.loaded_at, reload_problems=state.last_problems
            )

        gate = Gate(limit=settings.max_in_flight, meter=telemetry.metrics)
        rpc = Rpc(
            gate=gate,
            spans=telemetry.calls,
            propagator=telemetry.propagator,
            clock=ambient.clock,
            meter=telemetry.metrics,
            caller=named_by_token_or_certificate if settings.tls_client_ca_file else named_by_token,
        )
        servicer = RoutingServicer(
            rpc=rpc,
            service=runtime.service,
            describe=describe,
            streams=StreamRules(
                in_flight=settings.stream_in_flight, max_age=settings.stream_max_age
            ),
        )
        ports = await listen(stack, settings, servicer=servicer, telemetry=telemetry, duty=duty)
        _warn(loaded, duty)
        yield Serving(
            ports.rpc, ports.admin, telemetry.prometheus_port, runtime, watcher, telemetry, config
        )


async def serve(
    settings: Settings,
    *,
    say: Callable[[str], None],
    assignments: Sequence[str] = (),
    worker: WorkerLine | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads the policy file. `say` gets the start line.

    A worker reports it to its supervisor instead, and stops when that is gone.
    """
    stop, wanted = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    # Before anything else: a signal that nobody handles yet would end the process.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    duty = worker.duty if worker else None
    async with contextlib.AsyncExitStack() as stack:
        if worker is not None:
            stack.enter_context(worker.watched(stop.set))
        running = await stack.enter_async_context(
            serving(settings, assignments=assignments, duty=duty)
        )
        reloads = asyncio.create_task(_reload_when(wanted, running.watcher))
        # What was built to serve lives as long as the process: the collector need not walk it.
        gc.collect()
        gc.freeze()
        line = start_line(settings, running)
        if worker is None:
            say(line)
        else:
            ports = {"admin_port": running.admin_port, "metrics_port": running.metrics_port}
            worker.report(Report(start_line=line, **ports))
        await stop.wait()
        _log.info("stopping")
        reloads.cancel()


async def _reload_when(wanted: asyncio.Event, watcher: PolicyWatcher) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        await watcher.reload()


def start_line(settings: Settings, running: Serving) -> str:
    """What is in force, in one line."""
    rules = running.runtime.rules
    return (
        f"pointsman serving on {_address(settings.listen, running.port)}"
        f" | mode {rules.mode}"
        f" | engines {' then '.join(rules.engines)}"
        f" | cache {rules.cache.url}"
        f" | policy {settings.policy_file or 'built-in'} {rules.version}"
        f" | admin {_address(settings.admin_listen, running.admin_port)}"
        f" | metrics {_address(settings.metrics_listen, running.metrics_port)}"
        f" | tls {_tls(settings)}"
        f" | tokens {'required' if settings.tokens_file else 'not required'}"
    )


def _address(listen: str, port: int | None) -> str:
    """Where it listens; of a Unix socket the port says nothing."""
    if port is None:
        return "off"
    return listen if listen.startswith(UNIX) else f"{listen.rpartition(':')[0]}:{port}"


def _tls(settings: Settings) -> str:
    if settings.tls_cert_file is None:
        return "off"
    return "with client certificates" if settings.tls_client_ca_file else "on"


def _warn(loaded: Loaded, duty: Duty | None) -> None:
    """What is likely not meant; of several workers one says it."""
    if duty is not None and duty.index > 0:
        return
    for warning in loaded.warnings:
        _log.warning("policy file: %s: %s", warning.path, warning.message)
    if duty is not None and not loaded.policy_file.cache.shared:
        _log.warning(
            "workers do not share the cache %s: a conversation keeps its model only on one"
            " connection, or with a shared cache",
            loaded.policy_file.cache.url,
        )


def _hash_key(settings: Settings, duty: Duty | None) -> bytes:
    """The configured key, or a random one: then hashes hold for one run of the service only."""
    if settings.hash_key_file is not None:
        key = settings.hash_key_file.read_bytes().strip()
        if not key:
            raise SourceUnreadable("POINTSMAN_HASH_KEY_FILE: the file is empty")
        return key
    if settings.hash_key is not None and (text := settings.hash_key.get_secret_value().strip()):
        return text.encode()
    if duty is None or duty.index == 0:
        _log.warning(
            "POINTSMAN_HASH_KEY is not set: ids are hashed with a random key, so a shared cache and"
            " hashes in logs hold for this process only"
        )
    return bytes.fromhex(duty.hash_key) if duty else secrets.token_bytes(HASH_KEY_BYTES)
