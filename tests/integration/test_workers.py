"""Many processes on one port, as callers, scrapers and operators meet them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from pointsman_client import RoutingClient, RoutingError
from support.eventually import eventually
from support.fleet import Fleet, fleet, samples
from support.served import FRONTIER, policy_text

CLIENTS = 12
CALLS = 240


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    log = {"stdout": False, "file": str(tmp_path / "decisions.jsonl")}
    flags = {"decision_log_sample_rate": "1"}
    path.write_text(policy_text(decision_log=log, flags=flags))
    return path


@asynccontextmanager
async def clients(port: int, count: int = CLIENTS, **how: Any) -> AsyncIterator[list[Any]]:
    """Each has a connection of its own, so that together they reach every worker."""
    async with AsyncExitStack() as stack:
        made = [RoutingClient(f"127.0.0.1:{port}", **how) for _ in range(count)]
        yield [await stack.enter_async_context(client) for client in made]


def to_serve(policy: Path) -> None:
    policy.write_text(policy.read_text().replace("mode: shadow", "mode: serve"))


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]


async def ask(client: RoutingClient, number: int, **how: Any) -> Any:
    return await client.route(
        f"Rename variable {number} everywhere.",
        tier="kilo-auto/frontier",
        candidates=FRONTIER,
        user_id="user-1",
        session_id=f"session-{number}",
        static_pick=FRONTIER[0],
        timeout=20,
        **how,
    )


async def test_the_workers_figures_add_up_to_the_calls_and_their_log_is_whole(
    policy: Path, tmp_path: Path
) -> None:
    async with fleet(tmp_path, "--workers", "2", "--policy-file", str(policy)) as running:
        async with clients(running.port) as callers:
            await asyncio.gather(*(ask(callers[n % CLIENTS], n) for n in range(CALLS)))
        pages = [await worker.page() for worker in running.workers]
        counts = [sum(samples(p, "pointsman_decisions_total").values()) for p in pages]
        running.send(signal.SIGTERM)
        assert await running.ended() == 0

    assert sum(counts) == CALLS
    assert min(counts) > 0
    [targets, others] = [dict(*samples(page, "target_info")) for page in pages]
    assert targets["service_instance_id"] != others["service_instance_id"]
    lines = logged(tmp_path)
    assert len(lines) == CALLS
    # One caller has one hash, whichever worker answers, although no key was set.
    assert len({line["user_hash"] for line in lines}) == 1
    assert len([line for line in running.said if line.startswith("pointsman serving")]) == 1
    assert sum("do not share the cache" in line for line in running.said) == 1


async def test_a_killed_worker_costs_no_call_and_is_replaced(policy: Path, tmp_path: Path) -> None:
    async with fleet(tmp_path, "--workers", "2", "--policy-file", str(policy)) as running:
        victim = running.workers[0]
        async with clients(running.port, count=8) as callers:
            answered: list[Any] = []
            failed: list[RoutingError] = []
            done = asyncio.Event()

            async def call(client: RoutingClient, first: int) -> None:
                number = first
                while not done.is_set():
                    try:
                        answered.append(await ask(client, number))
                    except RoutingError as error:
                        failed.append(error)
                    number += 1_000

            load = [asyncio.create_task(call(callers[n % 8], n)) for n in range(64)]
            await eventually(lambda: len(answered) > 200)
            os.kill(victim.pid, signal.SIGKILL)
            await eventually(lambda: len(running.workers) == 3)
            before = len(answered)
            await eventually(lambda: len(answered) > before + 200)
            done.set()
            await asyncio.gather(*load)
        assert failed == []
        assert running.workers[2].index == victim.index
        # New connections reach the replacement.
        async with clients(running.port) as callers:
            await asyncio.gather(*(ask(client, 7) for client in callers))
        page = await running.workers[2].page()
        assert sum(samples(page, "pointsman_decisions_total").values()) > 0


async def test_a_stop_under_load_loses_no_call_that_was_accepted(
    policy: Path, tmp_path: Path
) -> None:
    environment = {"POINTSMAN_DRAIN": "0.5"}
    arguments = ("--workers", "2", "--policy-file", str(policy))
    async with (
        fleet(tmp_path, *arguments, environment=environment) as running,
        clients(running.port, count=8) as callers,
    ):
        stopped = asyncio.Event()
        lost: list[RoutingError] = []
        answered: list[Any] = []

        async def call(client: RoutingClient, first: int) -> None:
            number = first
            while True:
                began_before = not stopped.is_set()
                try:
                    answered.append(await ask(client, number))
                except RoutingError as error:
                    if began_before:
                        lost.append(error)
                    return
                number += 1_000

        load = [asyncio.create_task(call(callers[n % 8], n)) for n in range(64)]
        await eventually(lambda: len(answered) > 200)
        stopped.set()
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        await asyncio.gather(*load)
    assert lost == []


async def test_a_reload_reaches_every_worker(policy: Path, tmp_path: Path) -> None:
    async def modes(running: Fleet) -> set[str]:
        pages = [await worker.page() for worker in running.workers]
        labels = [dict(*samples(page, "pointsman_policy_info")) for page in pages]
        return {found["pointsman_mode"] for found in labels}

    async def all_serve(running: Fleet) -> bool:
        return await modes(running) == {"serve"}

    environment = {"POINTSMAN_RELOAD_INTERVAL": "3600"}
    arguments = ("--workers", "2", "--policy-file", str(policy))
    async with fleet(tmp_path, *arguments, environment=environment) as running:
        assert await modes(running) == {"shadow"}
        to_serve(policy)
        running.send(signal.SIGHUP)
        await eventually(lambda: all_serve(running))
        assert len(running.workers) == 2


async def test_a_policy_file_with_problems_is_told_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("mode: sideways\n")
    async with fleet(tmp_path, "--workers", "4", "--policy-file", str(bad)) as running:
        assert await running.ended() == 2
    assert sum("the policy file has problems" in line for line in running.said) == 1
    assert running.workers == []


async def test_plaintext_where_others_reach_it_is_told_once_and_starts_nobody(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, "--workers", "2", "--listen", "0.0.0.0:0") as running:
        assert await running.ended() == 2
    [said] = running.said
    assert said.startswith("pointsman: POINTSMAN_LISTEN: other machines may reach 0.0.0.0:0")


async def test_workers_cannot_share_a_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/rpc.sock"
    async with fleet(tmp_path, "--workers", "2", "--listen", address) as running:
        assert await running.ended() == 2
    assert running.said == ["pointsman: POINTSMAN_LISTEN: workers cannot share a Unix socket"]


async def test_each_worker_has_an_admin_address_of_its_own(policy: Path, tmp_path: Path) -> None:
    arguments = ("--workers", "2", "--policy-file", str(policy))
    async with fleet(tmp_path, *arguments) as running:
        ports = [worker.admin_port for worker in running.workers]
        async with clients(running.port) as callers:
            await asyncio.gather(*(ask(callers[n % CLIENTS], n) for n in range(CLIENTS)))
        answered = [await calls(port) for port in ports]
    assert len(set(ports)) == 2
    # Channelz tells of the process that it is asked in: both have calls of these.
    assert min(answered) > 0


async def calls(admin_port: int) -> int:
    """Calls that the process behind an admin address was asked, as channelz tells."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{admin_port}") as channel:
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        answer = await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=20)
    return sum(server.data.calls_succeeded for server in answer.server)


async def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with fleet(tmp_path, "--workers", "2", "--listen", address) as running:
            assert await running.ended() == 2
    why = f"cannot listen on {address}: Address already in use"
    assert running.said == [f"pointsman: POINTSMAN_LISTEN: {why}"]
