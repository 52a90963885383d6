"""The fault suite's two forms and the table that it fills.

`pytest tests/chaos` runs the short form of each row; `--chaos=long` the long form, and
`--chaos-table=FILE` puts the table into FILE, under its heading, and beside it as JSON.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chaos.parts.figures import Ledger, Pace
from support.served import Starter

_LEDGER = pytest.StashKey[Ledger]()
_LONG_TIMEOUT = 2_400
"""Seconds that a row of the long form may take, start and end included."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos", "the fault suite")
    group.addoption("--chaos", choices=("short", "long"), default="short", help="how much load")
    group.addoption("--chaos-table", type=Path, metavar="FILE", help="write the table into FILE")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEDGER] = Ledger(table=config.getoption("--chaos-table", None))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--chaos", "short") == "long":
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONG_TIMEOUT))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    ledger = config.stash[_LEDGER]
    if not ledger.rows:
        return
    terminalreporter.section("faults")
    for line in ledger.lines():
        terminalreporter.write_line(line)
    if ledger.table is not None:
        terminalreporter.write_line(f"written to {ledger.table}")


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Where each row puts its figures."""
    return request.config.stash[_LEDGER]


@pytest.fixture(scope="session")
def pace(request: pytest.FixtureRequest) -> Pace:
    """How long and how much: the short form or the long one."""
    return Pace.of(request.config.getoption("--chaos", "short"))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts servers in this process that end with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Starter(tmp_path, stack)
