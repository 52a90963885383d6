"""What the contract promises of every answer, whatever was asked, on the wire's messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc import error_details_pb2
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import error_reason_pb2
from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

_ID_LENGTH = 36
_UNROUTED = {
    pb.OUTCOME_SKIPPED: {
        pb.REASON_UNKNOWN_TIER,
        pb.REASON_NO_PROMPT,
        pb.REASON_INSUFFICIENT_CANDIDATES,
        pb.REASON_THIRD_PARTY_DENIED,
        pb.REASON_NO_TASK,
        pb.REASON_AMBIGUOUS,
        pb.REASON_PROVIDER_FENCE,
    },
    pb.OUTCOME_FAILED: {pb.REASON_ENGINES_FAILED},
    pb.OUTCOME_OFF: {
        pb.REASON_NO_ROUTING_CONTEXT,
        pb.REASON_MODE_OFF,
        pb.REASON_FLAG_OFF,
        pb.REASON_ORGANIZATION_EXCLUDED,
    },
}
_ROUTED = {pb.REASON_UNSPECIFIED, pb.REASON_AMBIGUOUS, pb.REASON_CONCRETE_MODEL_REQUESTED}
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT.value[0],
    grpc.StatusCode.NOT_FOUND.value[0],
}
"""The statuses of what is wrong with a request."""
HASTE = 1_000
"""Milliseconds; a decision of a stream that is given less may come too late."""
_TOO_LATE = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
_REASONS = set(error_reason_pb2.ErrorReason.keys())
_DIFFICULTIES = {"easy", "medium", "hard", "needs_info"}


def broken_promises(
    request: pb.RouteDecisionRequest, answer: pb.RouteDecisionResponse
) -> list[str]:
    """What `answer` to `request` breaks; empty: nothing."""
    return list(_broken(request, answer))


def broken_route(
    request: resolve_pb.ResolveRouteRequest, answer: resolve_pb.ResolveRouteResponse
) -> list[str]:
    """The same for a purpose."""
    found = []
    if answer.purpose != request.purpose.strip() or answer.run_id != request.run_id.strip():
        found.append("purpose and run_id are not the request's")
    if not answer.policy_version:
        found.append("there is no policy_version")
    keys = [(a.profile, a.provider, a.model, a.endpoint) for a in answer.attempts]
    if len(set(keys)) != len(keys):
        found.append("an attempt stands twice")
    if not all(0 <= a.share <= 1 for a in answer.attempts):
        found.append("a share is not one")
    return found


def broken_batch(wire: bytes, answer: batch_pb.BatchRouteDecisionsResponse) -> list[str]:
    """The same for a batch: one result for each request in these bytes, in their order."""
    requests = list(map(_read, _requests_in(wire)))
    if len(answer.results) != len(requests):
        return [f"{len(requests)} requests, {len(answer.results)} results"]
    asked = zip(requests, answer.results, strict=True)
    return [found for one, result in asked for found in _broken_result(one, result)]


def _requests_in(wire: bytes) -> list[bytes]:
    """The bytes of each request of a batch, whether or not they are one."""
    fields = UnknownFieldSet(Empty.FromString(wire))
    return [f.data for f in fields if (f.field_number, f.wire_type) == (1, 2)]


def _read(wire: bytes) -> pb.RouteDecisionRequest | None:
    try:
        return pb.RouteDecisionRequest.FromString(wire)
    except DecodeError:
        return None


def broken_stream(
    request: stream_pb.StreamRouteDecisionsRequest | None,
    answers: Sequence[stream_pb.StreamRouteDecisionsResponse],
) -> list[str]:
    """The same for a stream that carried one message; `None` if that was not readable."""
    if len(answers) != 1:
        return [f"one request, {len(answers)} answers"]
    [answer] = answers
    hasty = request is not None and 0 < request.timeout_ms < HASTE
    asked = request.request if request is not None else None
    found = [] if hasty and _is_too_late(answer.status) else _broken_result(asked, answer)
    if answer.correlation_id and (
        request is None or answer.correlation_id != request.correlation_id
    ):
        found.append("correlation_id is not the request's")
    if answer.WhichOneof("result") == "response" and not answer.correlation_id:
        found.append("a decision without a correlation_id")
    return found


def broken_refusal(status: Any) -> list[str]:
    """What a status breaks, `google.rpc.Status` or `CallStatus`: details name reason and field."""
    code = status.code
    found = {detail.type_url.rpartition(".")[2]: detail for detail in status.details}
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    if code not in REFUSALS:
        return [f"refused with status {code}: {status.message}"]
    if "ErrorInfo" not in found or not found["ErrorInfo"].Unpack(info):
        return ["a refusal without ErrorInfo"]
    if info.domain != "pointsman" or f"ERROR_REASON_{info.reason}" not in _REASONS:
        return [f"reason {info.reason} of {info.domain} is not of the contract"]
    if code != grpc.StatusCode.INVALID_ARGUMENT.value[0]:
        return []
    if "BadRequest" not in found or not found["BadRequest"].Unpack(bad):
        return ["INVALID_ARGUMENT without BadRequest"]
    named = [bool(v.field and v.description) for v in bad.field_violations]
    return [] if named and all(named) else ["INVALID_ARGUMENT that names no field"]


def _is_too_late(status: Any) -> bool:
    info = error_details_pb2.ErrorInfo()
    told = [info.reason for detail in status.details if detail.Unpack(info)]
    return status.code == _TOO_LATE and told == ["TOO_LATE"]


def _broken_result(request: pb.RouteDecisionRequest | None, result: Any) -> list[str]:
    """One decision of a stream or of a batch: answered or refused, as a call would be."""
    kind = result.WhichOneof("result")
    if kind == "status":
        return broken_refusal(result.status)
    if kind != "response" or request is None:
        return [f"{kind or 'nothing'} answers what is no request"]
    return broken_promises(request, result.response)


def _broken(request: pb.RouteDecisionRequest, answer: pb.RouteDecisionResponse) -> Iterator[str]:
    routed = answer.outcome == pb.OUTCOME_ROUTED
    if answer.HasField("decision") != routed:
        yield "decision is set if and only if the outcome is ROUTED"
    if len(answer.decision_id) != _ID_LENGTH or not answer.policy_version:
        yield "decision_id and policy_version are always set"
    yield from _of_decision(request, answer) if routed else _of_none(request, answer)
    for name in ("difficulty", "ambiguity", "domain"):
        head = getattr(answer.classification, name)
        if answer.HasField("classification") and not 0 <= head.confidence <= 1:
            yield f"classification.{name}.confidence is no share"
    if answer.HasField("classification") and not request.classify:
        yield "classification was not asked for"


def _of_none(request: pb.RouteDecisionRequest, answer: pb.RouteDecisionResponse) -> Iterator[str]:
    if answer.reason not in _UNROUTED.get(answer.outcome, set()):
        yield f"reason {answer.reason} does not go with outcome {answer.outcome}"
    named = {m.strip() for m in request.routing.candidate_models}
    # The one candidate that can serve, where the static pick cannot.
    sole = answer.reason == pb.REASON_INSUFFICIENT_CANDIDATES and answer.serve_model in named
    if answer.serve_model != _static_pick(request) and not sole:
        yield "serve_model is the static pick"
    if answer.shadow:
        yield "shadow is of decisions"
    if (answer.outcome == pb.OUTCOME_FAILED) != bool(answer.failures):
        yield "failures are named if and only if the outcome is FAILED"


def _of_decision(  # noqa: C901  (one promise a line)
    request: pb.RouteDecisionRequest, answer: pb.RouteDecisionResponse
) -> Iterator[str]:
    decision = answer.decision
    pick = _static_pick(request)
    if answer.reason not in _ROUTED:
        yield f"reason {answer.reason} does not go with ROUTED"
    kept_off = answer.shadow or answer.reason != pb.REASON_UNSPECIFIED
    if answer.serve_model != (pick if kept_off else decision.model):
        yield "serve_model is the decision's, or the static pick where that is not served"
    named = [m.strip() for m in request.routing.candidate_models]
    if named and decision.model not in named:
        yield "the model is one of the request's candidates"
    if {m.strip() for m in request.constraints.denied_models} & {decision.model}:
        yield "the model was denied"
    if (
        decision.source not in {pb.SOURCE_MORPH, pb.SOURCE_LOCAL, pb.SOURCE_DECISION_MODEL}
        or not decision.policy
    ):
        yield "a decision has a source and a policy"
    if request.data_policy == pb.DATA_POLICY_THIRD_PARTY_DENIED and any(
        failure.engine != "local" for failure in answer.failures
    ):
        yield "a denied prompt was shown to a third party"
    if decision.model in decision.fallback_models:
        yield "fallback_models are the others"
    if decision.HasField("difficulty") and decision.difficulty not in _DIFFICULTIES:
        yield f"difficulty {decision.difficulty!r} is not known"
    for name in ("confidence", "ambiguity_confidence", "domain_confidence", "propensity"):
        share = getattr(decision, name)
        if decision.HasField(name) and (math.isnan(share) or not 0 <= share <= 1):
            yield f"{name} is no share"
    if request.dry_run and decision.cached:
        yield "a dry run reads no conversation"


def _static_pick(request: pb.RouteDecisionRequest) -> str:
    """The static pick; one that the request denies counts as absent."""
    pick = str(request.routing.resolved_model.strip())
    return "" if pick in {m.strip() for m in request.constraints.denied_models} else pick
