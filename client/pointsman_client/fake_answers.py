"""Answers of a fake service: responses in the format of the service, and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1.call_status_pb2 import CallStatus

from pointsman_client.details import write_details
from pointsman_client.errors import ErrorFacts, FieldViolation
from pointsman_client.results import Reason
from pointsman_client.routes import ELIGIBLE_ERRORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is a status. `status` is its name, e.g. `UNAVAILABLE`; see `ErrorFacts`."""

    status: str
    message: str = ""
    reason: str | None = None
    violations: Sequence[tuple[str, str]] = ()
    """Bad fields: (path, error)."""
    retry_after: float | None = None

    def __post_init__(self) -> None:
        if self.status not in grpc.StatusCode.__members__ or self.status == "OK":
            raise ValueError(f"no refusal has the status {self.status!r}")


def routed(
    model: str, *, serve_model: str | None = None, shadow: bool = False, **decision: Any
) -> pb.RouteDecisionResponse:
    """Answer with a decision for `model`; `decision` are further fields of the proto `Decision`.

    `serve_model` is `model` unless given: in shadow, give the static pick.
    """
    fields: dict[str, Any] = {
        "source": pb.SOURCE_LOCAL,
        "router_model": model,
        "policy": "balanced",
    } | decision
    return pb.RouteDecisionResponse(
        outcome=pb.OUTCOME_ROUTED,
        decision=pb.Decision(model=model, **fields),
        serve_model=model if serve_model is None else serve_model,
        shadow=shadow,
        decision_id="00000000-0000-7000-8000-000000000000",
        policy_version="fake",
    )


def not_routed(
    outcome: str, *, reason: Reason, serve_model: str = "", **response: Any
) -> pb.RouteDecisionResponse:
    """Answer without a decision: `outcome` is `skipped`, `failed` or `off`."""
    return pb.RouteDecisionResponse(
        outcome=f"OUTCOME_{outcome.upper()}",
        reason=f"REASON_{reason.name}",
        serve_model=serve_model,
        decision_id="00000000-0000-7000-8000-000000000000",
        policy_version="fake",
        **response,
    )


def resolved(
    *attempts: resolve_pb.Attempt | str, eligible_errors: Sequence[str] = ELIGIBLE_ERRORS
) -> resolve_pb.ResolveRouteResponse:
    """Answer `ResolveRoute` with these attempts; a text is a profile with a model of its name."""
    return resolve_pb.ResolveRouteResponse(
        attempts=[
            resolve_pb.Attempt(profile=each, provider="fake", model=each)
            if isinstance(each, str)
            else each
            for each in attempts
        ],
        eligible_errors=eligible_errors,
        policy_version="fake",
    )


def as_result(answer: pb.RouteDecisionResponse | Refusal) -> dict[str, Any]:
    """The field of a stream's or a batch's result that holds this answer."""
    if isinstance(answer, Refusal):
        return {"status": CallStatus.FromString(as_status(answer))}
    return {"response": answer}


def as_status(refusal: Refusal) -> bytes:
    """The refusal as the trailer of a call's status has it."""
    facts = ErrorFacts(
        reason=refusal.reason,
        violations=tuple(FieldViolation(*each) for each in refusal.violations),
        retry_after=refusal.retry_after,
    )
    code: int = grpc.StatusCode[refusal.status].value[0]
    return write_details(code=code, message=refusal.message, facts=facts)
