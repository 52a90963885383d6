"""Reloading, step by step: each `poll` is one look at the file."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.core.errors import EngineFailed, PolicyInvalid, Problem
from pointsman_server.core.model import EngineFailure
from pointsman_server.policies.loader import load
from pointsman_server.policies.schema import Loaded
from pointsman_server.policies.version import version_of
from pointsman_server.policies.watcher import PolicyWatcher

VALID = Path(__file__).parents[2] / "data" / "policies" / "valid"
FIRST = (VALID / "minimal.yaml").read_bytes()
SECOND = (VALID / "full.yaml").read_bytes()
BROKEN = b"mode: [serve\n"


class Service:
    """What a watcher serves: notes what is put in force and every outcome."""

    def __init__(self) -> None:
        self.in_force: list[str] = []
        self.outcomes: list[bool] = []
        self.now = 1_000.0
        self.refuses_with: Exception | None = None

    def put_in_force(self, loaded: Loaded) -> None:
        if self.refuses_with is not None:
            raise self.refuses_with
        self.in_force.append(loaded.policy_file.version)

    def watch(self, path: Path | None, **options: Any) -> PolicyWatcher:
        return PolicyWatcher(
            path=path,
            current=load(path),
            on_loaded=options.pop("on_loaded", self.put_in_force),
            on_outcome=self.outcomes.append,
            clock=lambda: self.now,
            **options,
        )


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_bytes(FIRST)
    return path


def watching() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "policy watcher"]


async def looks(watcher: PolicyWatcher, times: int = 2) -> None:
    for _ in range(times):
        await watcher.poll()


def edited(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def broken(path: Path) -> None:
    path.write_bytes(BROKEN)


def deleted(path: Path) -> None:
    path.unlink()


def touched(path: Path) -> None:
    path.touch()


def renamed_over(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


def edited_within_the_same_mtime(path: Path, data: bytes) -> None:
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [edited, renamed_over, edited_within_the_same_mtime])
async def test_a_change_is_put_in_force(
    service: Service, path: Path, change: Callable[[Path, bytes], None]
) -> None:
    watcher = service.watch(path)
    change(path, SECOND)
    service.now = 2_000.0

    await looks(watcher)

    assert service.in_force == [version_of(SECOND)]
    assert service.outcomes == [True]
    assert watcher.state.version == version_of(SECOND)
    assert watcher.state.loaded_at == 2_000.0
    assert watcher.state.last_problems == ()


async def test_a_swapped_link_is_seen_as_kubernetes_swaps_it(
    service: Service, tmp_path: Path
) -> None:
    for name, data in (("v1", FIRST), ("v2", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_bytes(data)
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    watcher = service.watch(tmp_path / "policy.yaml")

    (tmp_path / "..data_tmp").symlink_to("v2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    await looks(watcher)

    assert service.in_force == [version_of(SECOND)]


async def test_an_unchanged_file_is_left_alone(service: Service, path: Path) -> None:
    watcher = service.watch(path)

    await looks(watcher)
    touched(path)
    await looks(watcher)

    assert service.in_force == []
    assert service.outcomes == []


async def test_a_change_waits_until_two_looks_agree(service: Service, path: Path) -> None:
    watcher = service.watch(path)

    edited(path, SECOND[:-20])
    await watcher.poll()
    edited(path, SECOND)
    await watcher.poll()
    assert service.outcomes == []

    await watcher.poll()
    assert service.in_force == [version_of(SECOND)]
    assert service.outcomes == [True]


@pytest.mark.parametrize(
    "bad", [BROKEN, b"", SECOND[: SECOND.index(b"{", len(SECOND) // 3) + 1], b"\xff\xfe"]
)
async def test_a_bad_file_keeps_the_last_good_one(
    service: Service, path: Path, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = service.watch(path)
    edited(path, bad)

    await looks(watcher, times=4)

    assert service.in_force == []
    assert service.outcomes == [False]
    assert watcher.state.version == version_of(FIRST)
    assert watcher.state.loaded_at == 1_000.0
    assert watcher.state.last_problems
    assert f"{version_of(FIRST)} stays in force" in caplog.text


async def test_a_deleted_file_keeps_the_last_good_one(service: Service, path: Path) -> None:
    watcher = service.watch(path)
    deleted(path)

    await looks(watcher, times=4)

    assert service.outcomes == [False]
    assert watcher.state.version == version_of(FIRST)
    (problem,) = watcher.state.last_problems
    assert problem.message.startswith("cannot read ")


@pytest.mark.parametrize("harm", [deleted, broken])
async def test_a_restored_file_is_well_again_without_building_anew(
    service: Service, path: Path, harm: Callable[[Path], None]
) -> None:
    watcher = service.watch(path)
    harm(path)
    await looks(watcher)

    edited(path, FIRST)
    await looks(watcher, times=4)

    assert service.in_force == []
    assert service.outcomes == [False, True]
    assert watcher.state.last_problems == ()


async def test_a_mended_file_is_put_in_force(service: Service, path: Path) -> None:
    watcher = service.watch(path)
    edited(path, BROKEN)
    await looks(watcher)

    edited(path, SECOND)
    await looks(watcher)

    assert service.in_force == [version_of(SECOND)]
    assert service.outcomes == [False, True]
    assert watcher.state.last_problems == ()


async def test_going_back_to_an_older_version_is_a_change(service: Service, path: Path) -> None:
    watcher = service.watch(path)
    for data in (SECOND, FIRST):
        edited(path, data)
        await looks(watcher)

    assert service.in_force == [version_of(SECOND), version_of(FIRST)]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            PolicyInvalid([Problem("engines.local", "has no model")]),
            Problem("engines.local", "has no model"),
        ),
        (
            EngineFailed(EngineFailure(engine="local", stage="fetch")),
            Problem("", "could not be put in force: local: fetch"),
        ),
        (KeyError("sk-hunter2"), Problem("", "could not be put in force: KeyError")),
    ],
)
async def test_a_version_that_cannot_be_built_is_refused(
    service: Service, path: Path, error: Exception, problem: Problem
) -> None:
    watcher = service.watch(path)
    service.refuses_with = error
    edited(path, SECOND)

    await looks(watcher, times=4)

    assert service.outcomes == [False]
    assert watcher.state.version == version_of(FIRST)
    assert watcher.state.last_problems == (problem,)


async def test_a_reload_on_demand_tries_again_what_could_not_be_built(
    service: Service, path: Path
) -> None:
    watcher = service.watch(path)
    service.refuses_with = OSError("not now")
    edited(path, SECOND)
    await looks(watcher)
    service.refuses_with = None

    assert await watcher.reload()

    assert service.in_force == [version_of(SECOND)]
    assert service.outcomes == [False, True]
    assert watcher.state.last_problems == ()


async def test_a_reload_on_demand_takes_even_an_unchanged_file(
    service: Service, path: Path
) -> None:
    watcher = service.watch(path)

    assert await watcher.reload()

    assert service.in_force == [version_of(FIRST)]


async def test_a_reload_on_demand_of_a_bad_file_says_so(service: Service, path: Path) -> None:
    watcher = service.watch(path)
    edited(path, BROKEN)

    assert not await watcher.reload()

    assert watcher.state.last_problems
    await looks(watcher)
    assert service.outcomes == [False]


async def test_the_packaged_default_reloads_on_demand_only(service: Service) -> None:
    async with service.watch(None) as watcher:
        assert watching() == []
        assert await watcher.reload()

    assert service.outcomes == [True]


async def test_a_coroutine_may_put_a_version_in_force(service: Service, path: Path) -> None:
    async def put_in_force(loaded: Loaded) -> None:
        await asyncio.sleep(0)
        service.put_in_force(loaded)

    watcher = service.watch(path, on_loaded=put_in_force)
    edited(path, SECOND)

    await looks(watcher)

    assert service.in_force == [version_of(SECOND)]


async def test_reloads_never_overlap(service: Service, path: Path) -> None:
    inside: list[Loaded] = []

    async def put_in_force(loaded: Loaded) -> None:
        inside.append(loaded)
        assert len(inside) == 1
        await asyncio.sleep(0)
        inside.pop()

    watcher = service.watch(path, on_loaded=put_in_force)

    assert await asyncio.gather(*(watcher.reload() for _ in range(5))) == [True] * 5


async def test_warnings_of_a_new_version_are_logged(
    service: Service, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watcher = service.watch(path)
    edited(path, SECOND)

    await looks(watcher)

    assert "policy file: organizations: lets prompts of organisations go" in caplog.text


async def test_the_watcher_s_task_looks_every_interval_until_it_is_closed(
    service: Service, path: Path
) -> None:
    waits: list[float] = []
    seen = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    def put_in_force(loaded: Loaded) -> None:
        service.put_in_force(loaded)
        seen.set()

    async with service.watch(path, sleep=sleep, interval=0.25, on_loaded=put_in_force):
        edited(path, SECOND)
        await seen.wait()

    assert service.in_force == [version_of(SECOND)]
    assert set(waits) == {0.25}
    assert watching() == []


async def test_the_watcher_s_task_outlives_a_callback_that_breaks_its_word(
    service: Service, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: asyncio.Queue[bool] = asyncio.Queue()

    def on_outcome(ok: bool) -> None:
        told.put_nowait(ok)
        raise RuntimeError("broken")

    watcher = PolicyWatcher(
        path=path,
        current=load(path),
        on_loaded=service.put_in_force,
        on_outcome=on_outcome,
        sleep=lambda _: asyncio.sleep(0),
    )
    async with watcher:
        edited(path, SECOND)
        assert await told.get() is True
        edited(path, BROKEN)
        assert await told.get() is False

    assert "watching the policy file failed; it goes on" in caplog.text


async def test_closing_a_watcher_that_never_ran_is_allowed(service: Service, path: Path) -> None:
    await service.watch(path).aclose()


def rewrite(path: Path, content: bytes | None) -> None:
    """Write the file, or remove it."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


async def test_a_reload_logs_what_changed_and_names_the_sections(
    service: Service, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    changed: list[frozenset[str]] = []
    watcher = service.watch(path, on_changes=changed.append)
    rewrite(path, b"mode: serve\n" + FIRST)
    await watcher.poll()
    assert not watcher.on_disk
    await watcher.poll()
    assert watcher.on_disk
    assert [record.getMessage() for record in caplog.records if "mode: " in record.getMessage()]
    assert changed == [frozenset({"mode"})]


async def test_a_refused_file_is_not_on_disk_until_it_is_repaired(
    service: Service, path: Path
) -> None:
    watcher = service.watch(path)
    assert watcher.on_disk
    rewrite(path, BROKEN)
    for _ in range(5):
        await watcher.poll()
    assert not watcher.on_disk
    rewrite(path, FIRST)
    for _ in range(2):
        await watcher.poll()
    assert watcher.on_disk
    assert service.outcomes == [False, True]


async def test_a_missing_file_is_not_on_disk(service: Service, path: Path) -> None:
    watcher = service.watch(path)
    rewrite(path, None)
    assert not await watcher.reload()
    assert not watcher.on_disk


async def test_models_that_left_force_are_freed_at_the_next_look(
    service: Service, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, models = service.watch(path), list(load(path).policy_file.catalog.values())
    released: list[list[object]] = []
    monkeypatch.setattr(
        "pointsman_server.policies.watcher.release", lambda pieces: released.append(list(pieces))
    )
    renamed_over(path, SECOND)
    await looks(watcher, times=3)
    assert released == [[], [], models]
