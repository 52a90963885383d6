"""`ResolveRoute`: the client's values to messages of the contract, and back."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from pointsman.v1 import resolve_route_pb2 as pb

from pointsman_client.decode import to_result
from pointsman_client.encode import to_message
from pointsman_client.errors import ErrorFacts, FieldViolation, InvalidRequest
from pointsman_client.model import RouteRequest, is_well_formed
from pointsman_client.routes import Attempt, ResolvedRoute

_LARGEST = 2**53


def to_resolve_message(
    purpose: str, run_id: str, *, profile_override: str | None, ask: RouteRequest | None
) -> pb.ResolveRouteRequest:
    """The message; `InvalidRequest` for values that no message can carry.

    `ask` is the request for a route with a tier; its `tier` is not sent, because the route has one.
    """
    texts = {"purpose": purpose, "run_id": run_id, "profile_override": profile_override or ""}
    bad = tuple(
        FieldViolation(field, "is not well-formed Unicode: it has a lone surrogate")
        for field, text in texts.items()
        if not is_well_formed(text)
    )
    if bad:
        raise InvalidRequest("nothing was sent", facts=ErrorFacts(violations=bad))
    message = pb.ResolveRouteRequest(
        purpose=purpose, run_id=run_id, profile_override=profile_override
    )
    if ask is not None:
        asked = to_message(ask)
        message.prompt.CopyFrom(asked.prompt)
        message.caller.CopyFrom(asked.caller)
        message.constraints.CopyFrom(asked.constraints)
        message.data_policy = asked.data_policy
        message.dry_run = asked.dry_run
        message.candidate_models.extend(ask.candidates)
        if ask.static_pick is not None:
            message.resolved_model = ask.static_pick
        if ask.incumbent_model is not None:
            message.incumbent_model = ask.incumbent_model
    return message


def to_resolved_route(message: pb.ResolveRouteResponse) -> ResolvedRoute:
    """The value for an answer."""
    return ResolvedRoute(
        purpose=message.purpose,
        run_id=message.run_id,
        attempts=tuple(_attempt(each) for each in message.attempts),
        eligible_errors=tuple(message.eligible_errors),
        policy_version=message.policy_version,
        decision=to_result(message.decision) if message.HasField("decision") else None,
    )


def _attempt(message: pb.Attempt) -> Attempt:
    return Attempt(
        profile=message.profile,
        provider=message.provider,
        model=message.model,
        endpoint=message.endpoint or None,
        parameters=_whole_numbers(MessageToDict(message.parameters)),
        credential_ref=message.credential_ref or None,
        share=message.share,
    )


def _whole_numbers(value: Any) -> Any:
    """Turn whole floats into ints: a `Struct` knows one kind of number, providers want two.

    A float holds each integer up to 2^53; the policy file refuses larger ones.
    """
    if isinstance(value, dict):
        return {name: _whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST:
        return int(value)
    return value
