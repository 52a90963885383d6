"""Request bodies, validated and bounded."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.http_api.fields import Fields
from pointsman_server.http_api.limits import Limits

POLICIES = ("balanced", "cost_efficient", "capability_heavy", "domain_skills")
MODES = {"balanced": "balanced", "aggressive": "capability_heavy"}
"""Mode of the vendor's SDK -> policy: "balanced (cheaper models) or aggressive (more capable
models)" (`@morphllm/morphsdk` 0.2.196, `RouterInput`)."""
HEADS = ("difficulty", "ambiguity", "domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteBody:
    """`POST /v1/router/multimodel`."""

    prompt: str
    """Non-blank and trimmed; at most `PROMPT_CODE_POINTS`, the limit of engines."""
    allowed_models: tuple[str, ...] | None
    """`None`: all models of the catalog."""
    allowed_providers: tuple[str, ...] | None
    policy: str
    default_model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyBody:
    """`POST /v1/router/classify`."""

    prompt: str
    heads: tuple[str, ...]
    """The requested labels, in the order of `HEADS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBody:
    """`POST /v1/router/{provider}` and `POST /v1/router/raw`."""

    prompt: str
    policy: str


def provider_body(raw: object, *, limits: Limits) -> ProviderBody:
    """Read a provider route's body; raises `InvalidRequest` that names every bad field."""
    fields = Fields(raw)
    body = ProviderBody(
        prompt=fields.prompt("input", at_most=limits.input_code_points)[:PROMPT_CODE_POINTS],
        policy=MODES[fields.choice("mode", of=MODES, default="balanced")],
    )
    fields.check()
    return body


def route_body(raw: object, *, limits: Limits) -> RouteBody:
    """Read a `multimodel` body; raises `InvalidRequest` that names every bad field."""
    fields = Fields(raw)
    body = RouteBody(
        prompt=fields.prompt("input", at_most=limits.input_code_points)[:PROMPT_CODE_POINTS],
        allowed_models=fields.names("allowed_models", at_most=limits.models),
        allowed_providers=fields.names("allowed_providers", at_most=limits.models),
        policy=fields.choice("policy", of=POLICIES, default="balanced"),
        default_model=fields.name("default_model"),
    )
    fields.check()
    return body


def classify_body(raw: object, *, limits: Limits) -> ClassifyBody:
    """Read a `classify` body; raises `InvalidRequest` that names every bad field."""
    fields = Fields(raw)
    prompt = fields.prompt("input", at_most=limits.input_code_points)[:PROMPT_CODE_POINTS]
    asked = fields.names("classes", at_most=limits.models)
    if asked is not None and not set(asked) <= set(HEADS):
        fields.bad("classes", f"must be some of {', '.join(HEADS)}")
    fields.check()
    heads = tuple(head for head in HEADS if asked is None or head in asked)
    return ClassifyBody(prompt=prompt, heads=heads)
