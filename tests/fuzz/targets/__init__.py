"""Every reader of bytes from outside, by the folder of its corpus."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.targets import (
    bodies,
    decision_models,
    gateway,
    headers,
    http_json,
    incoming,
    kept,
    log,
    morph,
    overrides,
    planning,
    policy,
    request,
    tokens,
)
from fuzz.targets.target import Target

TARGETS: Mapping[str, Target] = {
    "policy": policy.TARGET,
    "overrides": overrides.TARGET,
    "decision_models": decision_models.TARGET,
    "morph": morph.TARGET,
    "bodies": bodies.TARGET,
    "gateway": gateway.TARGET,
    "incoming": incoming.TARGET,
    "request": request.TARGET,
    "kept": kept.TARGET,
    "tokens": tokens.TARGET,
    "headers": headers.TARGET,
    "log": log.TARGET,
    "http_json": http_json.TARGET,
    "planning": planning.TARGET,
}
