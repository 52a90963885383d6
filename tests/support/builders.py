"""Valid values with a few words: a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    ApiKind,
    Caller,
    CatalogModel,
    Constraints,
    ConversationSource,
    DataPolicy,
    Decision,
    EngineAnswer,
    EngineQuery,
    Mode,
    Outcome,
    Prompt,
    RouteRequest,
    RoutingContext,
    Source,
    Stickiness,
    Tier,
    Verdict,
)
from pointsman_server.core.policy_file import (
    CacheRules,
    FlagRules,
    LocalRules,
    LogRules,
    PolicyFile,
)
from pointsman_server.transport.fast_path.answer_codec import WireCodec

CODEC = WireCodec()

OPUS = "anthropic/claude-opus-4.8"
SONNET = "anthropic/claude-sonnet-4.6"
GPT = "openai/gpt-5.5"
GEMINI = "google/gemini-3.1-pro-preview"
FLASH = "google/gemini-3.5-flash"
ROUTER_IDS = {
    OPUS: "claude-opus-4-8",
    SONNET: "claude-sonnet-4-6",
    GPT: "gpt-5.5",
    GEMINI: "gemini-3.1-pro-preview",
    FLASH: "gemini-3.5-flash",
}
FRONTIER = "kilo-auto/frontier"
SMALL = "kilo-auto/small"
LEGACY = "kilo/auto"
POLICIES = {FRONTIER: "capability_heavy", SMALL: "cost_efficient", LEGACY: "balanced"}


def model(public_id: str = OPUS, /, **facts: Any) -> CatalogModel:
    """A catalog entry; its router id is the well-known one unless given."""
    return CatalogModel(
        public_id=public_id, **{"router_id": ROUTER_IDS.get(public_id, public_id), **facts}
    )


def catalog(*models: CatalogModel) -> dict[str, CatalogModel]:
    """A catalog of these models, or of the well-known ones."""
    return {m.public_id: m for m in models or map(model, ROUTER_IDS)}


def rules(*, stickiness: Stickiness = Stickiness.EXACT, **changes: Any) -> PolicyFile:
    """A policy file that serves everything; tiers as in `POLICIES`."""
    tiers = {
        name: Tier(name=name, policy=policy, stickiness=stickiness)
        for name, policy in POLICIES.items()
    }
    whole: dict[str, Any] = {
        "version": "v1",
        "rules_digest": b"rules",
        "mode": Mode.SERVE,
        "serve_percent": 100.0,
        "tiers": tiers,
        "catalog": catalog(),
        "engines": ("morph", "local"),
        "morph": MorphRules(url="https://morph.test"),
        "local": LocalRules(quality_loss={"balanced": 0.05}),
        "cache": CacheRules(),
        "flags": FlagRules(values={}),
        "log": LogRules(),
    }
    return PolicyFile(**{**whole, **changes})


def prompt(latest: str | None = "Fix the parser", /, **changes: Any) -> Prompt:
    """A prompt with a latest text."""
    return Prompt(**{"latest": latest, "api_kind": ApiKind.CHAT_COMPLETIONS, **changes})


def caller(**changes: Any) -> Caller:
    """A user in a session."""
    return Caller(**{"user_id": "user-1", "session_id": "session-1", **changes})


def routing(
    *candidates: str, tier: str = FRONTIER, static_pick: str | None = OPUS
) -> RoutingContext:
    """A routing context; three candidates of the frontier unless given."""
    return RoutingContext(
        auto_model=tier,
        candidate_models=candidates or (OPUS, SONNET, GPT),
        resolved_model=static_pick,
    )


def request(**changes: Any) -> RouteRequest:
    """A request that can be routed."""
    whole: dict[str, Any] = {
        "prompt": prompt(),
        "caller": caller(),
        "routing": routing(),
        "data_policy": DataPolicy.UNSPECIFIED,
        "constraints": NO_CONSTRAINTS,
    }
    return RouteRequest(**{**whole, **changes})


def denying(*public_ids: str) -> Constraints:
    """Constraints under which these models may not serve."""
    return Constraints(denied_models=frozenset(public_ids))


def query(*public_ids: str, **changes: Any) -> EngineQuery:
    """A query between these models, the first being the default."""
    candidates = tuple(model(name) for name in public_ids or (OPUS, SONNET, GPT))
    whole: dict[str, Any] = {
        "prompt": "Fix the parser",
        "candidates": candidates,
        "policy": "capability_heavy",
        "default": candidates[0],
        "engines": ("morph", "local"),
        "key": b"key-of-a-decision",
    }
    return EngineQuery(**{**whole, **changes})


def answer(public_id: str = SONNET, /, **changes: Any) -> EngineAnswer:
    """An answer that names this model."""
    whole: dict[str, Any] = {
        "source": Source.MORPH,
        "model": public_id,
        "router_model": ROUTER_IDS.get(public_id, public_id),
        "difficulty": "hard",
        "confidence": 0.9,
    }
    return EngineAnswer(**{**whole, **changes})


def decision(public_id: str = SONNET, /, **changes: Any) -> Decision:
    """A decision for this model; `answer` changes what the engine said."""
    said = changes.pop("answer", answer(public_id))
    whole: dict[str, Any] = {
        "answer": said,
        "policy": "capability_heavy",
        "sticky": False,
        "switch_reason": None,
        "fallback_models": (OPUS,),
        "propensity": 1.0,
        "conversation_source": ConversationSource.SESSION,
        "candidate_count": 2,
        "dropped": (),
    }
    return Decision(**{**whole, **changes})


def outcome(**changes: Any) -> Outcome:
    """A routed outcome."""
    whole = Outcome(
        verdict=Verdict.ROUTED,
        serve_model=SONNET,
        decision_id="id-1",
        policy_version="v1",
        decision=decision(),
    )
    return replace(whole, **changes)
