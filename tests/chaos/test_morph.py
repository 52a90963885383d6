"""Morph fails in every way under load: engine `local` decides, and nobody waits or notices."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import MORPH_KEY, Service, pointsman_serve
from support.eventually import eventually
from support.morph import ScriptedMorph
from support.ports import free_port

PATH = "/v1/router/multimodel"
MOST_GROWTH = 64 * MB
"""What the service may grow by in any of these rows; a body that it took whole is 200 MiB."""
SCRIPTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Morph hangs": ("takes the request, says nothing", "timeout", {"delay_ms": 600_000}),
    "Morph stalls": ("headers, and no body", "timeout", {"stall_body": True}),
    "Morph slow": ("the body at 1 byte/s", "timeout", {"slow_body_ms_per_byte": 1_000}),
    "Morph huge": ("a body of 200 MiB", "invalid_response", {"huge_body_bytes": 200 * MB}),
    "Morph breaks off": ("half a body, then the end", "fetch", {"broken_body": True}),
    "Morph resets": ("a TCP reset", "fetch", {"reset": True}),
    "Morph 429 storm": ("429 to every call", "http_429", {"status": 429}),
    "Morph 503": ("503 to every call", "http_503", {"status": 503}),
    "Morph 529": ("529 to every call", "http_529", {"status": 529}),
    "Morph endless 100": (
        "100 Continue without end",
        "invalid_response",
        {"endless_interim": True},
    ),
    "Morph redirects": ("307 to another of its paths", "http_307", {"redirect": "/elsewhere"}),
    "Morph wrong JSON": ("a list", "invalid_response", {"json": [1, 2]}),
    "Morph half JSON": ("an object without end", "invalid_response", {"body": '{"model": "gpt'}),
    "Morph deep JSON": ("60,000 brackets", "invalid_response", {"body": "[" * 60_000}),
    "Morph wrong model": ("one not offered", "invalid_response", {"json": {"model": "gpt-2"}}),
}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("morph")
    with pointsman_serve(folder, policy=policy(f"http://127.0.0.1:{port}")) as running:
        yield running


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[RawCaller]:
    async with RawCaller(service.address) as caller:
        yield caller


async def _row(
    name: str, done: str, *, service: Service, caller: RawCaller, pace: Pace, fault: Any
) -> tuple[Row, int]:
    await eventually(caller.asks_morph)
    pid = service.program.child.pid
    before = Taken.by(pid)
    phases = await trial(caller.ask, pace=pace, fault=fault)
    growth = Taken.by(pid).rss - before.rss
    stages = ", ".join(f"{stage} {count}" for stage, count in caller.judge.stages.most_common())
    besides = f"{stages}; RSS {growth / MB:+.1f} MB"
    return Row(fault=name, done=done, load=RAW, phases=phases, besides=besides), growth


@pytest.mark.parametrize("fault", SCRIPTED)
async def test_a_morph_that_answers_badly_fails_no_caller(  # noqa: PLR0917  (fixtures)
    fault: str, port: int, service: Service, caller: RawCaller, ledger: Ledger, pace: Pace
) -> None:
    done, stage, step = SCRIPTED[fault]
    async with ScriptedMorph(keys=(MORPH_KEY,), port=port) as morph:
        broken = acts(lambda: morph.script(step), morph.script)
        row, growth = await _row(
            fault, done, service=service, caller=caller, pace=pace, fault=broken
        )
        ledger.add(row)
        assert {call.path for call in morph.calls} == {PATH}
        assert f"morph {stage}" in caller.judge.stages
        assert growth < MOST_GROWTH
        await eventually(caller.asks_morph)


@contextlib.asynccontextmanager
async def _nobody(morph: contextlib.AsyncExitStack, port: int) -> AsyncIterator[None]:
    await morph.aclose()
    yield
    await morph.enter_async_context(ScriptedMorph(keys=(MORPH_KEY,), port=port))


async def test_a_morph_that_refuses_connections_fails_no_caller(
    port: int, service: Service, caller: RawCaller, ledger: Ledger, pace: Pace
) -> None:
    async with contextlib.AsyncExitStack() as morph:
        await morph.enter_async_context(ScriptedMorph(keys=(MORPH_KEY,), port=port))
        row, _ = await _row(
            "Morph refuses",
            "stopped; nothing listens",
            service=service,
            caller=caller,
            pace=pace,
            fault=_nobody(morph, port),
        )
        ledger.add(row)
        assert "morph fetch" in caller.judge.stages
        await eventually(caller.asks_morph)


@contextlib.asynccontextmanager
async def _full_backlog(morph: contextlib.AsyncExitStack, port: int) -> AsyncIterator[None]:
    """Connecting itself hangs: a listener that never accepts, with no place left to wait."""
    await morph.aclose()
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield
    await morph.enter_async_context(ScriptedMorph(keys=(MORPH_KEY,), port=port))


async def test_a_morph_that_cannot_be_connected_to_fails_no_caller(
    port: int, service: Service, caller: RawCaller, ledger: Ledger, pace: Pace
) -> None:
    async with contextlib.AsyncExitStack() as morph:
        await morph.enter_async_context(ScriptedMorph(keys=(MORPH_KEY,), port=port))
        row, _ = await _row(
            "Morph unreachable",
            "connecting hangs",
            service=service,
            caller=caller,
            pace=pace,
            fault=_full_backlog(morph, port),
        )
        ledger.add(row)
        assert "morph timeout" in caller.judge.stages
        await eventually(caller.asks_morph)
