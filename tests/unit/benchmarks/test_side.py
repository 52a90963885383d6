"""What the bursts of a side tell besides their speed."""

from __future__ import annotations

import pytest

from benchmarks import load
from benchmarks.bars import Busy, Series
from benchmarks.side import Side, limited_by


class Server:
    """Spends some processor time on each burst."""

    port = 1

    def __init__(self, *spent):
        self.spent = 0.0
        self._bursts = iter(spent)

    def burst(self, *_, requests, **__):
        self.spent += next(self._bursts)
        return load.Load(requests, per_second=1, p50=1, p99=1, seconds=2.0, spent=0.5)

    def cpu_seconds(self):
        return self.spent


def played(monkeypatch, *spent):
    server = Server(*spent)
    monkeypatch.setattr(load, "run", server.burst)
    side = Side(server, 1_000)
    for _ in spent:
        side.run()
    return side


def test_a_burst_tells_how_busy_the_server_and_the_generator_were(monkeypatch):
    side = played(monkeypatch, 1.9, 1.0)
    assert side.busy == [Busy(pytest.approx(0.95), 0.25), Busy(pytest.approx(0.5), 0.25)]
    assert side.costs == pytest.approx([1_900, 1_000])


def test_a_comparison_is_as_sure_as_the_typical_burst_of_its_idlest_side(monkeypatch):
    one, other = played(monkeypatch, 1.8, 0.2, 1.9), played(monkeypatch, 2.0, 1.96, 1.98)
    series = limited_by(Series([1.0], controls=[1.0], tried=2), one, other)
    assert series.busy == Busy(pytest.approx(0.9), 0.25)
    assert (series.values, series.controls, series.tried) == ([1.0], [1.0], 2)
