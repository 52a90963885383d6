"""Engines as the composition root builds them: a third remote engine is a codec and a wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from pointsman_server.bootstrap.engines import WIRES, EngineBuilder, EnginePart, Wire
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.chain.fair_scheduling import FairScheduler
from pointsman_server.core.description import EngineState
from pointsman_server.core.engine_rules import BreakerRules, RemoteRules
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineAnswer, EngineQuery, Source, SwitchValues
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry.build import build_telemetry
from support.builders import OPUS, query, rules
from support.remote import RULE, decision_model_rules

ON, OFF = SwitchValues(decision_model_enabled=True), SwitchValues()


class AcmeCodec:
    """The codec of docs/write-an-engine.md, in short."""

    def encode(self, asked: EngineQuery) -> bytes:
        return json.dumps({"models": [model.router_id for model in asked.candidates]}).encode()

    def decode(self, body: bytes, asked: EngineQuery) -> EngineAnswer | None:
        model = asked.by_router_id(json.loads(body)["pick"])
        if model is None:
            return None
        return EngineAnswer(
            source=Source.DECISION_MODEL,
            model=model.public_id,
            router_model=model.router_id or "",
        )


class Acme:
    """A router that picks the first model until it is told to fail."""

    def __init__(self) -> None:
        self.status = 200
        self.calls = 0

    async def pick(self, request: web.Request) -> web.Response:
        self.calls += 1
        models = (await request.json())["models"]
        return web.json_response({"pick": models[0]}, status=self.status)


@pytest.fixture
async def acme() -> Acme:
    return Acme()


@pytest.fixture
async def part(acme: Acme) -> AsyncIterator[EnginePart]:
    app = web.Application()
    app.router.add_post("/v2/pick", acme.pick)
    runner = web.AppRunner(app)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        telemetry = await build_telemetry(environment={}, log=LogRules(stdout=False))
        stack.push_async_callback(telemetry.aclose)
        builder = EngineBuilder(
            turns=FairScheduler(), ambient=SystemResources(environment={}), telemetry=telemetry
        )
        rules = RemoteRules(
            url=f"http://127.0.0.1:{runner.addresses[0][1]}",
            breaker=BreakerRules(failures=2, pause=60.0),
        )
        part = builder.remote("acme", Wire(path="/v2/pick", codec=AcmeCodec(), rules=rules))
        stack.push_async_callback(part.aclose)
        yield part


async def test_a_third_engine_decides_behind_all_layers(acme: Acme, part: EnginePart) -> None:
    assert (await part.engine.decide(query())).model == OPUS
    acme.status = 503
    for stage in ("http_503", "http_503", "circuit_open"):
        with pytest.raises(EngineFailed) as caught:
            await part.engine.decide(query())
        assert (caught.value.failure.engine, caught.value.failure.stage) == ("acme", stage)
    assert acme.calls == 3


async def test_an_engine_tells_its_state(part: EnginePart) -> None:
    described = part.describe(ON, failures={"fetch": 2})
    assert (described.name, described.state) == ("acme", EngineState.READY)
    assert (described.failures, described.max_in_flight) == ({"fetch": 2}, 128)


def test_every_remote_source_has_a_wire() -> None:
    assert set(WIRES) == set(Source) - {Source.LOCAL}


def test_spans_of_a_decision_model_have_the_attributes_of_generative_ai() -> None:
    file = rules(decision_models={"jev": decision_model_rules()})
    wire = WIRES[Source.DECISION_MODEL]("jev", file, RULE)
    assert wire.path == "/v1/systemone"
    assert wire.attributes == {
        "gen_ai.operation.name": "decision",
        "gen_ai.request.model": "jev-latest",
    }
