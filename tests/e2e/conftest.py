"""End-to-end tests: real programs, real sockets, the toolchains of other languages.

`pytest tests/e2e` runs them and prints a table; a run of other tests leaves them out, because they
build programs and take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.parts.collector import Collector, otlp_collector
from e2e.parts.pointsman import MorphApi, morph_api
from e2e.parts.summary import SummaryTable
from e2e.parts.upstream import Upstream, scripted_upstream

HERE = Path(__file__).parent
TIMEOUT = 600
"""Seconds for one test; the first of a language waits for its build."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Collect nothing here unless somebody asked for this folder or a file in it."""
    asked = [(config.invocation_params.dir / arg.partition("::")[0]) for arg in config.args]
    return None if any(path.resolve().is_relative_to(HERE) for path in asked) else True


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "part(name): the language or part that a row is about")
    config.addinivalue_line("markers", "scenario(text): what a row shows")
    config.pluginmanager.register(SummaryTable(), "pointsman-e2e-summary")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs and policy files of everything that runs for the whole session."""
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where every program's spans go."""
    with otlp_collector() as running:
        yield running


@pytest.fixture(scope="session")
def morph(folder: Path) -> Iterator[MorphApi]:
    """A Morph-compatible endpoint, to be scripted."""
    with morph_api(folder) as running:
        yield running


@pytest.fixture
def upstream(provider: Upstream) -> Upstream:
    """The provider, with nothing arrived yet."""
    provider.arrivals.clear()
    provider.more.clear()
    provider.status = 200
    return provider


@pytest.fixture(scope="session")
def provider() -> Iterator[Upstream]:
    """A scripted OpenAI-compatible provider."""
    with scripted_upstream() as running:
        yield running
