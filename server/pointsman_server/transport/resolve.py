"""`ResolveRoute`: wire request -> core value, core value -> wire response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pointsman.v1 import resolve_route_pb2 as pb

from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    DataPolicy,
    RouteRequest,
    RoutingContext,
)
from pointsman_server.core.routes import Attempt, Resolution, ResolveRequest
from pointsman_server.transport.decode import (
    CANDIDATES,
    DATA_POLICIES,
    caller_of,
    constraints_of,
    prompt_of,
)
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.validation import Fields


def to_resolve_request(message: pb.ResolveRouteRequest) -> ResolveRequest:
    """The request as a value. Raises `InvalidRequest` that names every bad field."""
    fields = Fields()
    purpose = fields.identifier("purpose", message.purpose)
    run_id = fields.identifier("run_id", message.run_id)
    override = fields.optional_identifier("", message, "profile_override")
    ask = _ask(message, fields)
    fields.check()
    return ResolveRequest(purpose=purpose, run_id=run_id, profile_override=override, ask=ask)


def _ask(message: pb.ResolveRouteRequest, fields: Fields) -> RouteRequest | None:
    """The request for a tier's decision; `None` without prompt and caller.

    If only one of the two is present, the other is reported as missing.
    """
    if not (message.HasField("prompt") or message.HasField("caller")):
        return None
    has_constraints = message.HasField("constraints")
    return RouteRequest(
        prompt=prompt_of(message, fields),
        caller=caller_of(message, fields),
        routing=RoutingContext(
            auto_model="",
            candidate_models=fields.identifiers(
                "candidate_models", message.candidate_models, most=CANDIDATES
            ),
            resolved_model=fields.optional_identifier("", message, "resolved_model"),
            incumbent_model=fields.optional_identifier("", message, "incumbent_model"),
        ),
        data_policy=fields.choice(
            "data_policy", message.data_policy, DATA_POLICIES, DataPolicy.UNSPECIFIED
        ),
        constraints=constraints_of(message.constraints, fields)
        if has_constraints
        else NO_CONSTRAINTS,
        dry_run=message.dry_run,
    )


def to_resolve_response(request: ResolveRequest, resolution: Resolution) -> pb.ResolveRouteResponse:
    """The response with the attempts."""
    return pb.ResolveRouteResponse(
        purpose=request.purpose,
        run_id=request.run_id,
        attempts=[_attempt(attempt) for attempt in resolution.attempts],
        eligible_errors=resolution.eligible_errors,
        policy_version=resolution.policy_version,
        decision=to_response(resolution.outcome) if resolution.outcome else None,
    )


def _attempt(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        profile=attempt.profile,
        provider=attempt.provider,
        model=attempt.model,
        endpoint=attempt.endpoint or "",
        parameters=_struct(attempt.parameters),
        credential_ref=attempt.credential_ref or "",
        share=attempt.share,
    )


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct
