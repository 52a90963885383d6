"""An observer that raises is told on once, and nobody else notices."""

from __future__ import annotations

import pytest
from pointsman_server.telemetry.safe_observer import SafeObserver, SafeResolutionObserver
from support.records import resolved, routed


class Broken:
    def __init__(self):
        self.told = 0

    def on_decision(self, record):
        self.told += 1
        raise RuntimeError("can" + "ary")  # the log quotes source lines

    resolved = on_decision


@pytest.mark.parametrize(
    ("wall", "method", "record"),
    [
        (SafeObserver, "on_decision", routed()),
        (SafeResolutionObserver, "resolved", resolved()),
    ],
)
def test_an_observer_that_raises_is_logged_once_without_its_text(wall, method, record, caplog):
    broken = Broken()
    walled = wall(broken)
    for _ in range(3):
        getattr(walled, method)(record)
    assert broken.told == 3
    (line,) = caplog.records
    assert "RuntimeError" in line.getMessage()
    assert "canary" not in caplog.text
