"""A reload is audited: its log line, and metrics that last until a bad file is repaired."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pointsman_server.telemetry.metrics.catalog import (
    POLICY_CHANGES,
    POLICY_INFO,
    POLICY_RELOADED,
    POLICY_STALE,
)
from support.counted import counted
from support.served import Peer, Starter


def rewrite(peer: Peer, old: str, new: str) -> None:
    path = peer.running.watcher.path
    assert isinstance(path, Path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def state(peer: Peer) -> tuple[int, int]:
    """Whether the last reload succeeded, and whether the file is not in force."""
    metrics = peer.running.telemetry.metrics
    return counted(metrics, POLICY_RELOADED)[()], counted(metrics, POLICY_STALE)[()]


async def test_a_reload_says_what_changed_from_what_to_what(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await start(reload_interval=3_600)
    assert state(peer) == (1, 0)
    caplog.set_level(logging.INFO, "pointsman_server.policies.watcher")
    rewrite(peer, "mode: shadow", "mode: serve\nserve_percent: 7")
    assert await peer.running.watcher.reload()
    [line] = [r.getMessage() for r in caplog.records if "is in force" in r.getMessage()]
    assert "mode: shadow -> serve; serve_percent: 100 -> 7" in line
    metrics = peer.running.telemetry.metrics
    assert counted(metrics, POLICY_CHANGES) == {("mode",): 1, ("serve_percent",): 1}
    assert {mode for _, mode in counted(metrics, POLICY_INFO)} == {"serve"}
    assert state(peer) == (1, 0)


async def test_a_bad_file_shows_until_it_is_repaired(start: Starter) -> None:
    peer = await start(reload_interval=3_600)
    rewrite(peer, "mode: shadow", "mode: nonsense")
    assert not await peer.running.watcher.reload()
    assert state(peer) == (0, 1)
    rewrite(peer, "mode: nonsense", "mode: shadow")
    await peer.running.watcher.poll()
    await peer.running.watcher.poll()
    assert state(peer) == (1, 0)
