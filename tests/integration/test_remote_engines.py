"""Remote engines behind a real server: every fault, and everything that must not leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from support.loop_watch import watching
from support.ports import free_port
from support.scripted import ENVIRONMENT, FAULTS, REMOTE, ROWS, ScriptedServer, engines_section
from support.served import Peer, Starter, policy_text, request

SOURCES = {"morph": pb.SOURCE_MORPH, **dict.fromkeys(REMOTE[1:], pb.SOURCE_DECISION_MODEL)}
SWITCHES = {
    "morph": "POINTSMAN_MORPH_ROUTER_ENABLED",
    **dict.fromkeys(REMOTE[1:], "POINTSMAN_DECISION_MODEL_ENABLED"),
}
HASTE = {"timeout": "200ms", "breaker": {"failures": 1_000}}
SESSIONS = 6

each_engine = pytest.mark.parametrize("engine", REMOTE)


async def asked(peer: Peer, **fields: Any) -> list[Any]:
    """Answers to new conversations that ask at once."""
    asking = (
        peer.decide(request(caller=pb.Caller(user_id="u", session_id=f"s{n}"), **fields))
        for n in range(SESSIONS)
    )
    return list(await asyncio.gather(*asking))


async def started(start: Starter, engine: str, url: str, **sections: Any) -> Peer:
    policy = policy_text(engines=engines_section(engine, url, **HASTE), **sections)
    return await start(policy=policy, environment=ENVIRONMENT)


@each_engine
async def test_a_remote_engine_decides(start: Starter, engine: str) -> None:
    async with ScriptedServer(engine) as server:
        peer = await started(start, engine, server.url)
        answers = await asked(peer)
        assert {answer.decision.source for answer in answers} == {SOURCES[engine]}
        assert len(server.calls) == SESSIONS
        assert {call.headers["accept-encoding"] for call in server.calls} == {"identity"}


@pytest.mark.parametrize(("engine", "fault"), ROWS)
async def test_whatever_a_remote_engine_does_every_caller_gets_a_right_answer(
    start: Starter, engine: str, fault: str
) -> None:
    async with ScriptedServer(engine) as server:
        peer = await started(start, engine, server.url)
        server.fail(fault)
        with watching() as watch:
            answers = await asked(peer)
        stage = FAULTS[fault].stage
        for answer in answers:
            assert answer.outcome == pb.OUTCOME_ROUTED
            failures = [(failure.engine, failure.stage) for failure in answer.failures]
            if stage is None:
                assert (answer.decision.source, failures) == (SOURCES[engine], [])
                assert not answer.decision.HasField("confidence")
            else:
                assert (answer.decision.source, failures) == (pb.SOURCE_LOCAL, [(engine, stage)])
        assert watch.longest < 500, watch.what
        server.recover()
        again = await peer.decide(request(caller=pb.Caller(user_id="u", session_id="after")))
        assert again.decision.source == SOURCES[engine]


@each_engine
async def test_a_remote_engine_that_refuses_connections_costs_nobody_an_answer(
    start: Starter, engine: str
) -> None:
    peer = await started(start, engine, f"http://127.0.0.1:{free_port()}")
    for answer in await asked(peer):
        failures = [(failure.engine, failure.stage) for failure in answer.failures]
        assert (answer.decision.source, failures) == (pb.SOURCE_LOCAL, [(engine, "fetch")])


async def test_engines_are_called_in_the_order_of_the_policy_file(start: Starter) -> None:
    async with (
        ScriptedServer("systemone") as first,
        ScriptedServer("decisions") as second,
        ScriptedServer("morph") as third,
    ):
        models = {
            name: engines_section(name, server.url)["decision_models"][name] | HASTE
            for name, server in (("systemone", first), ("decisions", second))
        }
        engines = {
            "order": ["systemone", "decisions", "morph", "local"],
            "decision_models": models,
            "morph": {"url": third.url},
        }
        peer = await start(policy=policy_text(engines=engines), environment=ENVIRONMENT)
        described = await peer.stub.DescribeRouting(_describe(), timeout=10)
        assert [engine.name for engine in described.engines] == engines["order"]
        first.fail("429")
        second.fail("refusal")
        answer = await peer.decide(request())
    assert [(f.engine, f.stage) for f in answer.failures] == [
        ("systemone", "http_429"),
        ("decisions", "invalid_response"),
    ]
    assert answer.decision.source == pb.SOURCE_MORPH


# ---------------------------------------------------------------- what must not leave


@contextlib.asynccontextmanager
async def listening_socket() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A base URL whose port notes every connection."""
    seen: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(b"connected")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def unseen(
    start: Starter,
    engine: str,
    *,
    environment: dict[str, str],
    sections: dict[str, Any],
    fields: dict[str, Any],
) -> Any:
    """The answer to a request of which the engine's server must see nothing."""
    third_party = {} if engine == "morph" else {"third_party": True}
    async with listening_socket() as (url, seen):
        engines = engines_section(engine, url, **third_party)
        if engine != "morph":
            sections = {"classification": {"engine": engine, "budget": "1s"}} | sections
        policy = policy_text(engines=engines, **sections)
        peer = await start(policy=policy, environment=environment)
        answer = await peer.decide(request(classify=True, **fields))
        assert seen == []
    return answer


@each_engine
@pytest.mark.parametrize("switch", [None, "", "TRUE", "True", "1", "yes", '"true"', "false"])
async def test_with_its_switch_off_nothing_reaches_a_remote_engine(
    start: Starter, engine: str, switch: str | None
) -> None:
    environment = dict(ENVIRONMENT)
    if switch is None:
        del environment[SWITCHES[engine]]
    else:
        environment[SWITCHES[engine]] = switch
    answer = await unseen(start, engine, environment=environment, sections={}, fields={})
    assert answer.decision.source == pb.SOURCE_LOCAL
    assert answer.HasField("classification")


ORGANIZATION = {"caller": pb.Caller(organization_id="org-1")}
DENIED = {"data_policy": pb.DATA_POLICY_THIRD_PARTY_DENIED}


@each_engine
@pytest.mark.parametrize(
    ("sections", "fields", "outcome"),
    [
        ({}, DENIED, pb.OUTCOME_ROUTED),
        ({"data_policy": "third_party_denied"}, {}, pb.OUTCOME_ROUTED),
        ({"organizations": "excluded"}, ORGANIZATION, pb.OUTCOME_OFF),
        ({"organizations": "local_only"}, ORGANIZATION, pb.OUTCOME_ROUTED),
        ({"organizations": "allowed"}, ORGANIZATION | DENIED, pb.OUTCOME_ROUTED),
    ],
    ids=["request", "file", "excluded", "local only", "allowed but denied"],
)
async def test_a_prompt_that_may_not_leave_reaches_no_third_party(
    start: Starter,
    engine: str,
    sections: dict[str, Any],
    fields: dict[str, Any],
    outcome: int,
) -> None:
    answer = await unseen(start, engine, environment=ENVIRONMENT, sections=sections, fields=fields)
    assert answer.outcome == outcome
    if outcome == pb.OUTCOME_ROUTED:
        assert answer.decision.source == pb.SOURCE_LOCAL


@pytest.mark.parametrize("engine", REMOTE[1:])
async def test_a_model_of_ones_own_gets_prompts_that_may_not_go_to_a_third_party(
    start: Starter, engine: str
) -> None:
    async with ScriptedServer(engine) as server:
        peer = await started(start, engine, server.url)
        (answer, *_) = await asked(peer, **DENIED)
        assert answer.decision.source == pb.SOURCE_DECISION_MODEL
        assert len(server.calls) == SESSIONS


# ---------------------------------------------------------------- classification


@pytest.mark.parametrize("engine", REMOTE[1:])
async def test_a_decision_model_may_classify_beside_another_engines_decision(
    start: Starter, engine: str
) -> None:
    async with ScriptedServer(engine) as labels, ScriptedServer("morph") as morph:
        engines = engines_section(engine, labels.url) | {
            "order": ["morph"],
            "morph": {"url": morph.url},
        }
        classification = {"engine": engine, "budget": "5s"}
        peer = await start(
            policy=policy_text(engines=engines, classification=classification),
            environment=ENVIRONMENT,
        )
        labels.fail("hangs")
        without = await peer.decide(request(classify=True))
        assert without.decision.source == pb.SOURCE_MORPH
        assert not without.HasField("classification")
        labels.recover()
        morph.fail("hangs")
        engines_late = await peer.decide(
            request(classify=True, caller=pb.Caller(user_id="u", session_id="late")), timeout=2
        )
        assert engines_late.classification.domain.label == "coding"


def _describe() -> Any:
    from pointsman.v1 import describe_routing_pb2

    return describe_routing_pb2.DescribeRoutingRequest()
