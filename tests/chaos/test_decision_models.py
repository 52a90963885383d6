"""A decision model fails in every way under load: engine `local` decides, and nobody notices.

The faults are those of `support.scripted`, which the integration tests run against each remote
engine; faults of the wire alone are the same for both formats and run with one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken
from chaos.parts.serving import MORPH_TIMEOUT, policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import Service, pointsman_serve
from support.eventually import eventually
from support.ports import free_port
from support.scripted import ENVIRONMENT, FAULTS, MODELS, ScriptedServer, engines_section

MOST_GROWTH = 64 * MB
ROWS = [
    (engine, name)
    for name, fault in FAULTS.items()
    for engine in (MODELS if fault.answers is not None else MODELS[:1])
    if engine in fault.only
]
BRISK = {
    "timeout": f"{round(MORPH_TIMEOUT * 1_000)}ms",
    "breaker": {"failures": 5, "pause": "200ms"},
}


@dataclass
class Services:
    """A service for each format, started when its first row needs it."""

    folder: Path
    stack: ExitStack
    running: dict[str, tuple[Service, int]] = field(default_factory=dict)

    def __call__(self, engine: str) -> tuple[Service, int]:
        """The service that asks `engine`, and the port at which it does."""
        if engine not in self.running:
            port = free_port()
            engines = engines_section(engine, f"http://127.0.0.1:{port}", **BRISK)
            document = policy() | {"engines": engines}
            service = pointsman_serve(self.folder, policy=document, environment=ENVIRONMENT)
            self.running[engine] = self.stack.enter_context(service), port
        return self.running[engine]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with ExitStack() as stack:
        yield Services(tmp_path_factory.mktemp("decision-models"), stack)


@pytest.fixture
async def callers() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("engine", "fault"), ROWS)
async def test_a_decision_model_that_answers_badly_fails_no_caller(  # noqa: PLR0917  (fixtures)
    engine: str,
    fault: str,
    services: Services,
    callers: AsyncExitStack,
    ledger: Ledger,
    pace: Pace,
) -> None:
    service, port = services(engine)
    caller = await callers.enter_async_context(RawCaller(service.address))
    async with ScriptedServer(engine, port=port) as server:
        await eventually(caller.asks_a_decision_model)
        pid = service.program.child.pid
        before = Taken.by(pid)
        phases = await trial(
            caller.ask, pace=pace, fault=acts(lambda: server.fail(fault), server.recover)
        )
        growth = Taken.by(pid).rss - before.rss
        stages = ", ".join(f"{s} {count}" for s, count in caller.judge.stages.most_common())
        besides = f"{stages}; RSS {growth / MB:+.1f} MB"
        name, done = f"{engine}: {fault}", FAULTS[fault].done
        ledger.add(Row(fault=name, done=done, load=RAW, phases=phases, besides=besides))
        assert f"{engine} {FAULTS[fault].stage}" in caller.judge.stages
        assert growth < MOST_GROWTH
        await eventually(caller.asks_a_decision_model)
