"""Remote engines over a given client or a scripted answer."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import httpx
from pointsman_server.core.engine_rules import (
    DecisionFormat,
    DecisionModelRules,
    MorphRules,
    RemoteRules,
)
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.decision_model.codec import DecisionModelCodec, path_of
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.morph import PATH, MorphCodec
from pointsman_server.engines.remote.caller import RemoteCaller
from pointsman_server.engines.remote.engine import RemoteEngine
from pointsman_server.engines.remote.keys import EnvironmentKey, KeySource

from support.fakes import FakeClock

KEY = EnvironmentKey("KEY", {"KEY": "sk"})
QUALITY_LOSS = {
    "capability_heavy": 0.02,
    "balanced": 0.05,
    "cost_efficient": 0.10,
    "domain_skills": 0.0,
}
RULE = LocalEngine.load(LocalRules(quality_loss=QUALITY_LOSS))


def caller_of(
    client: httpx.AsyncClient,
    *,
    name: str,
    path: str,
    rules: RemoteRules,
    key: KeySource | None = KEY,
    clock: Any = None,
    propagate: Callable[[MutableMapping[str, str]], None] = lambda _: None,
) -> RemoteCaller:
    return RemoteCaller(
        client,
        name=name,
        path=path,
        rules=rules,
        key=key,
        clock=clock or FakeClock(),
        propagate=propagate,
    )


def morph_engine(
    client: httpx.AsyncClient, *, rules: MorphRules | None = None, **given: Any
) -> RemoteEngine:
    """Engine `morph` over a client."""
    rules = rules or MorphRules(url="https://morph.test")
    return RemoteEngine(
        caller_of(client, name="morph", path=PATH, rules=rules, **given), MorphCodec()
    )


def decision_model_rules(**given: Any) -> DecisionModelRules:
    defaults = {
        "url": "https://jev.test",
        "format": DecisionFormat.SYSTEM_ONE,
        "model": "jev-latest",
        "third_party": True,
    }
    return DecisionModelRules(**(defaults | given))


def decision_model_codec(rules: DecisionModelRules) -> DecisionModelCodec:
    return DecisionModelCodec("jev", rules, rule=RULE)


def decision_model_engine(
    client: httpx.AsyncClient, *, rules: DecisionModelRules | None = None, **given: Any
) -> RemoteEngine:
    """Engine `jev`, a decision model, over a client."""
    rules = rules or decision_model_rules()
    caller = caller_of(client, name="jev", path=path_of(rules), rules=rules, **given)
    return RemoteEngine(caller, decision_model_codec(rules))
