"""Conversations turn by turn under stickiness `adaptive`, by each RPC, over a real socket.

`tests/data/README.md` says what each key of a case means.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pointsman_server
import pytest
import yaml
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.model import EngineAnswer, EngineQuery, Source
from pointsman_server.engines.local import LocalEngine
from support.morph import ScriptedMorph
from support.served import HandClock, Starter
from support.ways import WAYS, Ask

DATA = Path(__file__).parents[1] / "data"
SUITES = [
    json.loads((DATA / name).read_text())
    for name in (
        "conversation_cases.json",
        "conversation_more_cases.json",
        "conversation_replays.json",
    )
]
CASES = [case for suite in SUITES for case in suite["cases"]]
POLICIES = sorted({json.dumps(case.get("policy", {}), sort_keys=True) for case in CASES})
BUILT_IN = Path(pointsman_server.__file__).parent / "policies" / "default.yaml"
SERVED = {"mode": "serve", "serve_percent": 100}
TIER = "kilo-auto/frontier"
CALLER = {"organization_id", "agent_id", "session_id", "machine_id", "user_id"}
ROUTING = {"incumbent_model"}
PROMPT = {"message_count", "max_output_tokens", "context_reset"}
CONSTRAINTS = {
    "keep_provider",
    "denied_models",
    "required_inputs",
    "prompt_tokens_estimate",
    "requires_tools",
}


@pytest.fixture(params=WAYS)
async def asking(
    request: pytest.FixtureRequest,
    start: Starter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Asking]:
    local = ScriptedLocal()
    monkeypatch.setattr(LocalEngine, "decide", local.decide)
    key_file = tmp_path / "morph-key"
    key_file.write_text("key")
    async with ScriptedMorph() as morph:
        yield Asking(WAYS[request.param], start, morph, local, key_file)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_conversations(asking: Asking, policy: str) -> None:
    """All conversations under one policy, in one server: each has a session of its own."""
    await asking.open(json.loads(policy))
    wrong = {}
    for case in CASES:
        if json.dumps(case.get("policy", {}), sort_keys=True) == policy:
            for number, turn in enumerate(case["turns"]):
                found = await asking.turn(turn, case)
                if found != turn["expect"]:
                    wrong[case["name"], number] = (found, turn["expect"])
    assert not wrong, "\n".join(f"{k}: {v[0]} != {v[1]}" for k, v in wrong.items())


class Asking:
    """A server with the built-in policy file in mode `serve`, and a scripted Morph behind it."""

    def __init__(
        self, way: Ask, start: Starter, morph: ScriptedMorph, local: ScriptedLocal, key_file: Path
    ) -> None:
        self._way = way
        self._start = start
        self._morph = morph
        self._local = local
        self._key_file = key_file
        self._clock = HandClock()

    async def open(self, changes: dict[str, Any]) -> None:
        document = yaml.safe_load(BUILT_IN.read_text()) | SERVED | changes
        self._router_ids = {name: m["router_id"] for name, m in document["catalog"].items()}
        document["engines"]["morph"] |= {
            "url": self._morph.url,
            "key_file": str(self._key_file),
            # Answers are scripted to fail: each conversation meets a closed circuit.
            "breaker": {"failures": 1000},
        }
        document["flags"] |= {"morph_router_enabled": True, "decision_log_sample_rate": 0}
        self._peer = await self._start(
            policy=yaml.safe_dump(document),
            ambient=SystemResources(clock=self._clock, environment={}),
        )

    async def turn(self, turn: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
        self._clock.advance(turn.get("advance_seconds", 1))
        engine = turn.get("engine")
        self._local.answer, self._local.calls = engine, 0
        self._morph.forget()
        self._morph.script(morph_step(engine, self._router_ids))
        wire = message(turn, case).SerializeToString()
        answer = await self._way(self._peer.channel, wire)
        calls = len(self._morph.calls) or self._local.calls
        return observed(answer, turn["expect"], calls=calls)


class ScriptedLocal:
    """The embedded engine, which answers in place of Morph where a turn says so."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.calls = 0

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        self.calls += 1
        said = self.answer or {"model": query.candidates[0].public_id}
        model = next(m for m in query.candidates if m.public_id == said["model"])
        return EngineAnswer(
            source=Source.LOCAL,
            model=model.public_id,
            router_model=model.router_id or "",
            difficulty=said.get("difficulty"),
            confidence=said.get("confidence"),
        )


def morph_step(engine: dict[str, Any] | None, router_ids: dict[str, str]) -> dict[str, Any]:
    if engine is None or engine.get("stand_in"):
        return {"status": 503, "json": {}}
    body = {"model": router_ids[engine["model"]]}
    return {"json": body | {k: engine[k] for k in ("difficulty", "confidence") if k in engine}}


def message(turn: dict[str, Any], case: dict[str, Any]) -> pb.RouteDecisionRequest:
    """The turn's request; what stands under `request` goes where the contract has it."""
    given = turn.get("request", {})

    def of(names: set[str]) -> dict[str, Any]:
        return {k: v for k, v in given.items() if k in names}

    constraints = of(CONSTRAINTS)
    if "required_inputs" in constraints:
        inputs = [f"MODALITY_{name}" for name in constraints["required_inputs"]]
        constraints["required_inputs"] = inputs
    rest = given.keys() - CALLER - ROUTING - PROMPT - CONSTRAINTS
    return pb.RouteDecisionRequest(
        prompt=pb.Prompt(
            user_prompt_prefix=case["turns"][0]["prompt"],
            latest_user_prompt_prefix=turn["prompt"],
            **of(PROMPT),
        ),
        caller=pb.Caller(**({"user_id": "user-1", "session_id": case["name"]} | of(CALLER))),
        routing=pb.RoutingContext(
            auto_model=TIER,
            candidate_models=turn["candidates"],
            resolved_model=turn["static"],
            **of(ROUTING),
        ),
        constraints=pb.Constraints(**constraints) if constraints else None,
        **{name: given[name] for name in rest},
    )


def observed(
    answer: pb.RouteDecisionResponse, expect: dict[str, Any], *, calls: int
) -> dict[str, Any]:
    """What the answer has of all that is expected."""
    decision = answer.decision
    found: dict[str, Any] = {
        "serve": answer.serve_model,
        "engine_calls": calls,
        "sticky": decision.sticky,
        "cached": decision.cached,
        "switch": pb.SwitchReason.Name(decision.switch_reason).removeprefix("SWITCH_REASON_"),
        "reason": pb.Reason.Name(answer.reason).removeprefix("REASON_"),
        "outcome": pb.Outcome.Name(answer.outcome).removeprefix("OUTCOME_"),
        "routed": decision.model,
        "shadow": answer.shadow,
        "reasoning_effort": decision.reasoning_effort,
    }
    return {name: found[name] for name in expect}
