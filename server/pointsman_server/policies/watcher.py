"""Puts new versions of the policy file in force, and keeps the last good one.

The file is watched by its content, read again every `interval`: that sees edits, renames and
Kubernetes' symbolic links alike, on any file system. A change is taken once two readings in a row
agree, so that a file that is just being written is left to settle.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path
from typing import Self

from pointsman_server.core.errors import PointsmanError, PolicyInvalid, Problem
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.lib.background_work import collector_paused, in_background, release
from pointsman_server.policies.changes import audit
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.loader import read
from pointsman_server.policies.schema import Loaded

_log = logging.getLogger(__name__)


def _nothing(_: object) -> None:
    """Ignore the changed keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """The policy in force, and the errors of a newer one."""

    version: str
    """The `policy_version` in force."""
    loaded_at: float
    """When it was put in force, in seconds since the epoch."""
    last_problems: tuple[Problem, ...] = ()
    """Errors of the newest version, if it was refused; empty: the file on disk is in force."""


@dataclass(slots=True, kw_only=True, eq=False)
class PolicyWatcher:
    """Watches one policy file; an async context manager that owns its task.

    A watcher of the packaged default (`path` None) reloads on demand only.
    """

    path: Path | None
    config: PolicyConfig | None = None
    """The overrides of the file; `None`: none."""
    current: InitVar[Loaded]
    """The policy in force at the start."""
    on_loaded: Callable[[Loaded], Awaitable[None] | None]
    """Puts a version in force. Where it raises, that version counts as refused, and the one
    before must still be in force."""
    on_outcome: Callable[[bool], None]
    """Called after every attempt with its success. It must not raise."""
    on_changes: Callable[[frozenset[str]], None] = _nothing
    """Called with the top-level keys that a new version changed. It must not raise."""
    interval: float = 1.0
    """Seconds between two looks at the file."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.time
    _state: WatchState = field(init=False)
    _judged: str = field(init=False)
    """The mark of the reading that was put in force or refused last."""
    _previous: str = field(init=False)
    """The mark of the reading before: a change counts once it is seen twice."""
    _one_at_a_time: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _task: asyncio.Task[None] | None = field(init=False, default=None)
    _config: PolicyConfig = field(init=False)
    _in_force: PolicyFile = field(init=False)
    _former: deque[object] = field(init=False, default_factory=deque)
    """Models that left force; they are freed at the next look, when hardly a call uses them."""

    def __post_init__(self, current: Loaded) -> None:
        self._config = self.config or PolicyConfig(self.path)
        self._in_force = current.policy_file
        self._judged = self._previous = current.policy_file.version
        self._state = WatchState(version=self._judged, loaded_at=self.clock())

    @property
    def on_disk(self) -> bool:
        """Whether the file, as it was read last, is the version in force."""
        return self._previous == self._state.version

    @property
    def state(self) -> WatchState:
        """The policy in force."""
        return self._state

    async def reload(self) -> bool:
        """Load the file now, changed or not. Returns whether it was put in force."""
        async with self._one_at_a_time:
            reading = await self._reading()
            self._previous = reading.mark
            return await self._judge(reading)

    async def poll(self) -> None:
        """Check the file once, and load a changed and settled version."""
        async with self._one_at_a_time:
            reading = await self._reading()
            settled = reading.mark == self._previous
            self._previous = reading.mark
            if not settled or reading.mark == self._judged:
                return
            if reading.mark == self._state.version:
                self._restored()
            else:
                await self._judge(reading)

    async def __aenter__(self) -> Self:
        if self.path is not None:
            self._task = asyncio.create_task(self._run(), name="policy watcher")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _run(self) -> None:
        while True:
            await self.sleep(self.interval)
            try:
                await self.poll()
            except Exception:  # noqa: BLE001 - watching must outlive whatever a callback does
                _log.exception("watching the policy file failed; it goes on")

    async def _reading(self) -> _Reading:
        former, self._former = self._former, deque()
        return await asyncio.to_thread(_read, self._config, former)

    async def _judge(self, reading: _Reading) -> bool:
        """Put a reading in force or refuse it, and remember which."""
        self._judged = reading.mark
        problems = await self._problems_of(reading)
        if problems:
            self._state = replace(self._state, last_problems=problems)
            told = "; ".join(f"{p.path}: {p.message}" for p in problems)
            _log.error("policy file refused, %s stays in force: %s", self._state.version, told)
        else:
            self._state = WatchState(version=reading.mark, loaded_at=self.clock())
        self.on_outcome(not problems)
        return not problems

    async def _audit(self, new: PolicyFile) -> None:
        """Log what the new version changed, from what to what."""
        old, self._in_force = self._in_force, new
        told, changed = await in_background(audit, old, new)
        told = told or "no value changed"
        _log.info("policy file %s is in force, before %s: %s", new.version, old.version, told)
        self._former.extend(old.catalog.values())
        self.on_changes(changed)

    def _restored(self) -> None:
        """Record that the file is again the one in force, without building it."""
        self._judged = self._state.version
        self._state = replace(self._state, last_problems=())
        _log.info("policy file %s is back", self._state.version)
        self.on_outcome(True)  # noqa: FBT003 - as its type says

    async def _problems_of(self, reading: _Reading) -> tuple[Problem, ...]:
        """Try to put a reading in force. Returns its errors."""
        if reading.data is None:
            return reading.problems
        try:
            # Until `on_loaded` has taken the new objects from the collector.
            with collector_paused():
                loaded = await in_background(self._config.parse, reading.data)
                done = self.on_loaded(loaded)
                if inspect.isawaitable(done):
                    await done
            await self._audit(loaded.policy_file)
            for warning in loaded.warnings:
                _log.warning("policy file: %s: %s", warning.path, warning.message)
        except PolicyInvalid as invalid:
            return invalid.problems
        except PointsmanError as error:
            return (Problem("", f"could not be put in force: {error}"),)
        except Exception as error:  # noqa: BLE001 - a bug; what it says stays in the log
            _log.exception("putting the policy file in force failed")
            return (Problem("", f"could not be put in force: {type(error).__name__}"),)
        return ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of the file, identified by `mark`."""

    mark: str
    data: bytes | None = None
    problems: tuple[Problem, ...] = ()


def _read(config: PolicyConfig, former: deque[object]) -> _Reading:
    release(former)
    try:
        data = read(config.path)
    except PolicyInvalid as invalid:
        return _Reading(f"unreadable: {invalid}", problems=invalid.problems)
    return _Reading(config.version_of(data), data)
