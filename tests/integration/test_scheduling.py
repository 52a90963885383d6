"""The scheduling policy that an operator asks for holds for every thread of the server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pointsman_client import RoutingClient
from pointsman_server.bootstrap import scheduling
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.transport.poller_priority import NICENESS
from support.fleet import fleet

POLICIES = {"batch": os.SCHED_BATCH, "normal": os.SCHED_OTHER}


def threads_of(pid: int) -> list[int]:
    return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("name", POLICIES)
async def test_every_thread_of_a_server_is_scheduled_as_asked(
    tmp_path: Path, name: str, workers: str
) -> None:
    environment = {"POINTSMAN_SCHEDULING": name}
    async with fleet(tmp_path, "--workers", workers, environment=environment) as running:
        async with RoutingClient(f"127.0.0.1:{running.port}") as client:
            assert (await client.describe()).policy_version
        serving = [worker.pid for worker in running.workers] or [running.process.pid]
        for pid in serving:
            threads = threads_of(pid)
            assert len(threads) > 1
            assert {os.sched_getscheduler(thread) for thread in threads} == {POLICIES[name]}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_of_all_threads_only_the_poller_gives_way(tmp_path: Path, workers: str) -> None:
    async with fleet(tmp_path, "--workers", workers) as running:
        async with RoutingClient(f"127.0.0.1:{running.port}") as client:
            assert (await client.describe()).policy_version
        for pid in [worker.pid for worker in running.workers] or [running.process.pid]:
            own = os.getpriority(os.PRIO_PROCESS, pid)
            nicer = [os.getpriority(os.PRIO_PROCESS, thread) - own for thread in threads_of(pid)]
            assert sorted(nicer, reverse=True)[:2] == [NICENESS, 0]


async def test_a_policy_that_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    async with fleet(tmp_path, environment={"POINTSMAN_SCHEDULING": "idle"}) as refused:
        assert await refused.ended() == 2
        assert "POINTSMAN_SCHEDULING" in refused.errors.read_text()


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling.sys, "platform", "darwin")
    with pytest.raises(SettingInvalid, match="POINTSMAN_SCHEDULING"):
        scheduling.schedule("batch")
    scheduling.schedule("normal")


@pytest.mark.parametrize("error", [PermissionError(1, "no"), OSError(22, "no")], ids=repr)
def test_where_the_system_does_not_allow_it_the_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(scheduling.os, "sched_setscheduler", refuse)
    with pytest.raises(SettingInvalid, match="POINTSMAN_SCHEDULING"):
        scheduling.schedule("batch")


def test_a_thread_that_has_ended_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(scheduling.os, "sched_setscheduler", gone)
    scheduling.schedule("batch")
