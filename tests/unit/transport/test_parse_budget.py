"""The bytes of HTTP connections: little at a time, in order, and others run in between."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from pointsman_server.transport.http import parse_budget
from pointsman_server.transport.http.parse_budget import ParseBudget


async def test_what_takes_longer_than_the_budget_waits_for_the_next_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parse_budget, "BUDGET_SECONDS", 1e-12)
    budget, done = ParseBudget(), list[int]()

    at_once = [budget.take(partial(done.append, number)) for number in range(4)]
    assert (at_once, done) == ([True, False, False, False], [0])
    for expected in ([0, 1], [0, 1, 2], [0, 1, 2, 3]):
        await asyncio.sleep(0)
        assert done == expected
    await asyncio.sleep(0)
    assert budget.take(partial(done.append, 4))


async def test_what_is_short_shares_an_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_budget, "BUDGET_SECONDS", 1e6)
    budget, done = ParseBudget(), list[int]()

    assert all(budget.take(partial(done.append, number)) for number in range(100))
    assert done == list(range(100))


async def test_a_piece_that_fails_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parse_budget, "BUDGET_SECONDS", 1e-12)
    budget, done = ParseBudget(), list[int]()

    def fails() -> None:
        raise ValueError

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    budget.take(partial(done.append, 0))
    budget.take(partial(fails))
    budget.take(partial(done.append, 1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert done == [0, 1]
