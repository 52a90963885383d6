"""`pointsman serve`: settings and policy file -> a listening server, and its graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from pointsman_server.bootstrap.addresses import check_addresses
from pointsman_server.bootstrap.env_typos import check_names
from pointsman_server.bootstrap.listeners import listen
from pointsman_server.bootstrap.runtime import Runtime
from pointsman_server.bootstrap.secrets import given_hash_key, random_hash_key
from pointsman_server.bootstrap.start_warnings import named_variables, speaks, warn_at_start
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.bootstrap.worker_link import SupervisorLink
from pointsman_server.core.description import Description
from pointsman_server.lib.host_port import UNIX
from pointsman_server.lib.service_manager import STOPPING, notify, ready, reloading
from pointsman_server.lib.start_signals import end_if_terminated
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.watcher import PolicyWatcher
from pointsman_server.settings import Settings
from pointsman_server.supervisor.protocol import WorkerAssignment, WorkerReady
from pointsman_server.telemetry import Telemetry, build_telemetry
from pointsman_server.transport.call import CallRunner
from pointsman_server.transport.concurrency import ConcurrencyLimiter
from pointsman_server.transport.security.peer_identity import (
    connection_of,
    named_by_token,
    named_by_token_or_certificate,
)
from pointsman_server.transport.servicer import RoutingServicer
from pointsman_server.transport.stream import StreamRules

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    port: int
    admin_port: int | None
    http_port: int | None
    metrics_port: int | None
    runtime: Runtime
    watcher: PolicyWatcher
    telemetry: Telemetry
    config: PolicyConfig
    """Overrides of the policy file; `set` works while the server runs."""


@contextlib.asynccontextmanager
async def serving(
    settings: Settings,
    *,
    ambient: SystemResources | None = None,
    assignments: Sequence[str] = (),
    duty: WorkerAssignment | None = None,
) -> AsyncIterator[Serving]:
    """Serve inside the block; leaving it drains calls and flushes telemetry.

    `assignments` are `path=value`, set over the policy file. With a `duty` this process is one of
    several that serve together. Raises `PolicyInvalid`, `SettingInvalid`, `SourceUnreadable` or
    `OSError` where it cannot start.
    """
    ambient = ambient or SystemResources()
    config = PolicyConfig(
        settings.policy_file, environment=ambient.environment, assignments=assignments
    )
    if duty is None:
        check_addresses(settings, environment=ambient.environment)
    loaded = config.load()
    named = named_variables(loaded)
    for name in named:
        ambient.secrets.add(ambient.environment.get(name, ""))
    if speaks(duty):
        check_names(ambient.environment, also=named)
    hash_key = given_hash_key(settings, known=ambient.secrets)
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
            hash_key=hash_key or random_hash_key(duty),
            hash_key_is_shared=hash_key is not None,
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
            on_changes=telemetry.metrics.policy_changed,
            interval=settings.reload_interval,
        )
        await stack.enter_async_context(watcher)
        telemetry.watch_policy_file(lambda: not watcher.on_disk)

        async def describe() -> Description:
            state = watcher.state
            return await runtime.describe(
                loaded_at=state.loaded_at, reload_problems=state.last_problems
            )

        gate = ConcurrencyLimiter(limit=settings.max_in_flight, meter=telemetry.metrics)
        rpc = CallRunner(
            gate=gate,
            spans=telemetry.calls,
            propagator=telemetry.propagator,
            clock=ambient.clock,
            meter=telemetry.metrics,
            caller=named_by_token_or_certificate if settings.tls_client_ca_file else named_by_token,
            connection=connection_of,
            turns=runtime.turns,
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
        warn_at_start(settings, loaded, duty)
        yield Serving(
            ports.rpc,
            ports.admin,
            ports.http,
            telemetry.prometheus_port,
            runtime,
            watcher,
            telemetry,
            config,
        )


async def serve(
    settings: Settings,
    *,
    say: Callable[[str], None],
    ambient: SystemResources | None = None,
    assignments: Sequence[str] = (),
    worker: SupervisorLink | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads the policy file. `say` gets the start line.

    Start, reload and stop are reported to the service manager, if there is one. A worker reports to
    its supervisor instead, and stops when that is gone.
    """
    stop, wanted = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    # Before anything else: a signal that nobody handles yet would end the process.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    end_if_terminated()
    duty = worker.duty if worker else None
    async with contextlib.AsyncExitStack() as stack:
        if worker is not None:
            stack.enter_context(worker.watched(stop.set))
        running = await stack.enter_async_context(
            serving(settings, ambient=ambient, assignments=assignments, duty=duty)
        )
        # Objects built at startup live as long as the process: the collector need not walk them.
        gc.collect()
        gc.freeze()
        line = start_line(settings, running)
        manager = _no_manager if worker else notify
        reloads = asyncio.create_task(_reload_when(wanted, running.watcher, line, manager))
        manager(ready(line))
        if worker is None:
            say(line)
        else:
            ports = {"admin_port": running.admin_port, "metrics_port": running.metrics_port}
            worker.report(WorkerReady(start_line=line, **ports))
        await stop.wait()
        _log.info("stopping")
        manager(STOPPING)
        reloads.cancel()


async def _reload_when(
    wanted: asyncio.Event, watcher: PolicyWatcher, line: str, manager: Callable[[str], bool]
) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        manager(reloading())
        await watcher.reload()
        manager(ready(line))


def _no_manager(_state: str) -> bool:
    return False


def start_line(settings: Settings, running: Serving) -> str:
    """The configuration in force, in one line."""
    rules = running.runtime.rules
    return (
        f"pointsman serving on {_address(settings.listen, running.port)}"
        f" | mode {rules.mode}"
        f" | engines {' then '.join(rules.engines)}"
        f" | cache {rules.cache.url}"
        f" | policy {settings.policy_file or 'built-in'} {rules.version}"
        f" | admin {_address(settings.admin_listen, running.admin_port)}"
        f" | http {_address(settings.http_listen, running.http_port)}"
        f" | metrics {_address(settings.metrics_listen, running.metrics_port)}"
        f" | tls {_tls(settings)}"
        f" | tokens {'required' if settings.tokens_file else 'not required'}"
    )


def _address(listen: str, port: int | None) -> str:
    """The listening address; a Unix socket has no port."""
    if port is None:
        return "off"
    return listen if listen.startswith(UNIX) else f"{listen.rpartition(':')[0]}:{port}"


def _tls(settings: Settings) -> str:
    if settings.tls_cert_file is None:
        return "off"
    return "with client certificates" if settings.tls_client_ca_file else "on"
