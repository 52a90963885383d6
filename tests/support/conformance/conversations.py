"""The server of conversation cases: the built-in policy file, and a scripted Morph behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pointsman_server
import yaml
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.model import EngineAnswer, EngineQuery, Source
from pointsman_server.engines.local import LocalEngine

from support.conformance.comparison import Found
from support.conformance.decisions import DATA, Armed
from support.morph import ScriptedMorph
from support.served import HandClock, Peer, Starter

FILES = ("conversation_cases.json", "conversation_more_cases.json", "conversation_replays.json")
CASES: list[dict[str, Any]] = [
    case for name in FILES for case in json.loads((DATA / name).read_text())["cases"]
]
BUILT_IN = Path(pointsman_server.__file__).parent / "policies" / "default.yaml"
SERVED = {"mode": "serve", "serve_percent": 100}
TIER = "kilo-auto/frontier"
CALLER = {"organization_id", "agent_id", "session_id", "machine_id", "user_id"}
ROUTING = {"incumbent_model"}
PROMPT = {
    "user_prompt_prefix",
    "system_prompt_prefix",
    "api_kind",
    "has_tools",
    "message_count",
    "max_output_tokens",
    "context_reset",
}
CONSTRAINTS = {
    "keep_provider",
    "denied_models",
    "required_inputs",
    "prompt_tokens_estimate",
    "requires_tools",
}


def policy_of(case: dict[str, Any]) -> str:
    """The keys of the policy file that a case replaces: cases with the same can share a server."""
    return json.dumps(case.get("policy", {}), sort_keys=True)


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

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Answer for every embedded engine of this process inside the block."""
        with mock.patch.object(LocalEngine, "decide", self.decide):
            yield


class ConversationServer:
    """A server for the conversations of one policy: each has a session of its own."""

    def __init__(self, morph: ScriptedMorph, local: ScriptedLocal, folder: Path) -> None:
        self._morph = morph
        self._local = local
        self._key_file = folder / "morph-key"
        self._key_file.write_text("key")
        self._clock = HandClock()

    async def open(self, start: Starter, changes: dict[str, Any]) -> Peer:
        """Start the server with these changes of the built-in policy file."""
        document = yaml.safe_load(BUILT_IN.read_text()) | SERVED | changes
        self._router_ids = {name: m["router_id"] for name, m in document["catalog"].items()}
        document["engines"]["morph"] |= {
            "url": self._morph.url,
            "key_file": str(self._key_file),
            # Answers are scripted to fail: each conversation meets a closed circuit.
            "breaker": {"failures": 1000},
        }
        document["flags"] |= {"morph_router_enabled": True, "decision_log_sample_rate": 0}
        del document["decision_log"]  # to a file, as the server's starter says
        return await start(
            policy=yaml.safe_dump(document),
            ambient=SystemResources(clock=self._clock, environment={}),
        )

    def arm(self, turn: dict[str, Any], case: dict[str, Any]) -> Armed:
        """Prepare the engine for a turn; the request to send now."""
        self.answers(turn.get("engine"), after=turn.get("advance_seconds", 1))
        return Armed(wire=message(turn, case).SerializeToString())

    def answers(self, engine: dict[str, Any] | None, *, after: float = 1) -> None:
        """Have the engines give this answer, `after` seconds."""
        self._clock.advance(after)
        self._local.answer, self._local.calls = engine, 0
        self._morph.forget()
        self._morph.script(morph_step(engine, self._router_ids))

    @property
    def calls(self) -> int:
        """Calls of an engine since then."""
        return len(self._morph.calls) or self._local.calls

    def check(self, turn: dict[str, Any], found: Found) -> list[str]:
        """The differences between the results of a turn and the expected ones."""
        if found.answer is None:
            return [f"status: {found.status} instead of OK ({', '.join(found.bad_fields)})"]
        seen = observed(found.answer, calls=self.calls)
        return [
            f"{name}: {seen[name]!r} instead of {value!r}"
            for name, value in turn["expect"].items()
            if seen[name] != value
        ]


def morph_step(engine: dict[str, Any] | None, router_ids: dict[str, str]) -> dict[str, Any]:
    """The step of the scripted endpoint for an engine's answer."""
    if engine is None or engine.get("stand_in"):
        return {"status": 503, "json": {}}
    body = {"model": router_ids[engine["model"]]}
    return {"json": body | {k: engine[k] for k in ("difficulty", "confidence") if k in engine}}


def message(turn: dict[str, Any], case: dict[str, Any]) -> pb.RouteDecisionRequest:
    """The turn's request; the fields of `request` go where the contract has them."""
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
            **{
                "user_prompt_prefix": case["turns"][0]["prompt"],
                "latest_user_prompt_prefix": turn["prompt"],
            }
            | of(PROMPT)
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


def observed(answer: pb.RouteDecisionResponse, *, calls: int) -> dict[str, Any]:
    """An answer in the terms of a turn's `expect`."""
    decision = answer.decision
    return {
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
