"""Message -> core value. Nothing behind this sees an unbounded or unchecked string."""

from __future__ import annotations

from typing import TypeAlias

from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    PROMPT_CODE_POINTS,
    ApiKind,
    Caller,
    Constraints,
    DataPolicy,
    Modality,
    Prompt,
    RouteRequest,
    RoutingContext,
)
from pointsman_server.transport.validation import IDENTIFIER_CODE_POINTS, Fields

Asking: TypeAlias = pb.RouteDecisionRequest | resolve_pb.ResolveRouteRequest

CANDIDATES = 32
DENIED_MODELS = 256

API_KINDS: dict[int, ApiKind] = {
    pb.API_KIND_UNSPECIFIED: ApiKind.UNSPECIFIED,
    pb.API_KIND_CHAT_COMPLETIONS: ApiKind.CHAT_COMPLETIONS,
    pb.API_KIND_RESPONSES: ApiKind.RESPONSES,
    pb.API_KIND_MESSAGES: ApiKind.MESSAGES,
}
DATA_POLICIES: dict[int, DataPolicy] = {
    pb.DATA_POLICY_UNSPECIFIED: DataPolicy.UNSPECIFIED,
    pb.DATA_POLICY_THIRD_PARTY_ALLOWED: DataPolicy.THIRD_PARTY_ALLOWED,
    pb.DATA_POLICY_THIRD_PARTY_DENIED: DataPolicy.THIRD_PARTY_DENIED,
}
MODALITIES: dict[int, Modality] = {
    pb.MODALITY_IMAGE: Modality.IMAGE,
    pb.MODALITY_FILE: Modality.FILE,
    pb.MODALITY_AUDIO: Modality.AUDIO,
    pb.MODALITY_VIDEO: Modality.VIDEO,
}


def to_request(message: pb.RouteDecisionRequest) -> RouteRequest:
    """The request as a value. Raises `InvalidRequest` that names every bad field."""
    fields = Fields()
    prompt = prompt_of(message, fields)
    caller = caller_of(message, fields)
    routing = _routing(message.routing, fields) if message.HasField("routing") else None
    data_policy = fields.choice(
        "data_policy", message.data_policy, DATA_POLICIES, DataPolicy.UNSPECIFIED
    )
    has_constraints = message.HasField("constraints")
    constraints = constraints_of(message.constraints, fields) if has_constraints else NO_CONSTRAINTS
    requested_model = message.requested_model.strip()
    if len(requested_model) > IDENTIFIER_CODE_POINTS:
        fields.bad("requested_model", f"must be at most {IDENTIFIER_CODE_POINTS} characters")
    fields.check()
    return RouteRequest(
        prompt=prompt,
        caller=caller,
        routing=routing,
        data_policy=data_policy,
        constraints=constraints,
        requested_model=requested_model or None,
        body_bytes=message.body_bytes,
        classify=message.classify,
        dry_run=message.dry_run,
    )


def prompt_of(message: Asking, fields: Fields) -> Prompt:
    """The request's `prompt`."""
    if not message.HasField("prompt"):
        fields.bad("prompt", "is required")
    prompt = message.prompt
    return Prompt(
        first=_prefix(prompt, "user_prompt_prefix"),
        latest=_prefix(prompt, "latest_user_prompt_prefix"),
        system=_prefix(prompt, "system_prompt_prefix"),
        api_kind=fields.choice("prompt.api_kind", prompt.api_kind, API_KINDS, ApiKind.UNSPECIFIED),
        message_count=prompt.message_count if prompt.HasField("message_count") else None,
        has_tools=prompt.has_tools,
        stream=prompt.stream,
        max_output_tokens=prompt.max_output_tokens
        if prompt.HasField("max_output_tokens")
        else None,
        context_reset=prompt.context_reset,
    )


def _prefix(prompt: pb.Prompt, field: str) -> str | None:
    """Trimmed before it is cut, so that leading blanks do not push the text out."""
    if not prompt.HasField(field):
        return None
    text: str = getattr(prompt, field)
    return text.strip()[:PROMPT_CODE_POINTS]


def caller_of(message: Asking, fields: Fields) -> Caller:
    """The request's `caller`."""
    if not message.HasField("caller"):
        fields.bad("caller", "is required")
        return Caller(user_id="")
    caller = message.caller
    return Caller(
        user_id=fields.identifier("caller.user_id", caller.user_id),
        session_id=fields.optional_identifier("caller", caller, "session_id"),
        machine_id=fields.optional_identifier("caller", caller, "machine_id"),
        client_request_id=fields.optional_identifier("caller", caller, "client_request_id"),
        mode=fields.optional_identifier("caller", caller, "mode"),
        user_agent=fields.optional_identifier("caller", caller, "user_agent"),
        organization_id=fields.optional_identifier("caller", caller, "organization_id"),
        agent_id=fields.optional_identifier("caller", caller, "agent_id"),
    )


def _routing(routing: pb.RoutingContext, fields: Fields) -> RoutingContext:
    return RoutingContext(
        auto_model=fields.identifier("routing.auto_model", routing.auto_model),
        candidate_models=fields.identifiers(
            "routing.candidate_models", routing.candidate_models, most=CANDIDATES
        ),
        resolved_model=fields.optional_identifier("routing", routing, "resolved_model"),
        incumbent_model=fields.optional_identifier("routing", routing, "incumbent_model"),
    )


def constraints_of(constraints: pb.Constraints, fields: Fields) -> Constraints:
    """The request's `constraints`."""
    inputs = fields.choices("constraints.required_inputs", constraints.required_inputs, MODALITIES)
    estimated = constraints.HasField("prompt_tokens_estimate")
    denied = fields.identifiers(
        "constraints.denied_models", constraints.denied_models, most=DENIED_MODELS
    )
    return Constraints(
        required_inputs=inputs,
        prompt_tokens_estimate=constraints.prompt_tokens_estimate if estimated else None,
        requires_tools=constraints.requires_tools,
        denied_models=frozenset(denied),
        keep_provider=constraints.keep_provider,
    )
