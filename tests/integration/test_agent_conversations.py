"""Conversations of eight agents, body by body, against an oracle of the order of a turn.

Each body goes through the client's reading and over a real socket, by each transport.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pointsman_client import DataPolicy, RoutingClient, Transport
from pointsman_http.planning import Planner
from support.agent_talk.bodies import TIER
from support.agent_talk.oracle import CANDIDATES, STATIC
from support.agent_talk.talk import Asked, conversations
from support.conformance.conversations import ConversationServer, ScriptedLocal
from support.morph import ScriptedMorph
from support.served import Starter

COUNT = 24


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("mode", ["serve", "shadow"])
async def test_agents_are_answered_in_the_order_of_a_turn(
    transport: Transport, mode: str, start: Starter, tmp_path: Path
) -> None:
    local, wrong = ScriptedLocal(), []
    async with ScriptedMorph() as morph:
        with local.in_place():
            server = ConversationServer(morph, local, tmp_path)
            peer = await server.open(start, {"mode": mode})
            target = f"127.0.0.1:{peer.running.port}"
            planner = Planner({TIER: STATIC}, candidates={TIER: CANDIDATES})
            async with RoutingClient(target, transport=transport, decide_timeout=60) as client:
                # A seed each, so that all of them see six times as many.
                seed = list(Transport).index(transport) * 2 + (mode == "shadow")
                for turns in conversations(COUNT, seed=seed, shadow=mode == "shadow"):
                    for asked in turns:
                        if different := await _difference(asked, server, planner, client):
                            wrong.append(different)
                            break
    assert not wrong, "\n".join(wrong)


async def _difference(
    asked: Asked, server: ConversationServer, planner: Planner, client: RoutingClient
) -> str:
    """Send one request; what differs from the oracle, or nothing."""
    said, answer = asked.said, asked.answer
    raw = json.dumps(asked.agent.body(said)).encode()
    headers = asked.agent.headers(said.session, asked.child)
    plan = planner.plan(raw, path=asked.agent.path, headers=headers)
    assert plan is not None
    server.answers(
        {"model": answer.model, "difficulty": answer.difficulty, "confidence": answer.confidence}
    )
    policy = {"data_policy": DataPolicy.THIRD_PARTY_DENIED} if asked.denied else {}
    choice = await client.decide(plan.question, **plan.fields, **policy)
    planner.note(plan, planner.routed(plan, choice), choice.model)
    tokens = plan.question.prompt_tokens_estimate
    assert tokens is not None
    calls, decided = asked.expected(tokens=tokens)
    found = choice.result.decision.model if choice.result and choice.result.decision else None
    wanted = (calls, decided, asked.oracle.served, said.reset, said.bound)
    seen = (
        server.calls,
        found,
        choice.model,
        bool(plan.question.context_reset),
        plan.question.keep_provider,
    )
    return "" if seen == wanted else f"{said}: {seen} instead of {wanted} ({choice.why})"
