"""From the client's values to the messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_client.errors import ErrorFacts, FieldViolation, InvalidRequest
from pointsman_client.model import RouteRequest, is_well_formed

REQUEST_BYTES = 64 * 1024
"""The contract's limit of a complete request."""

_UINT32 = 2**32 - 1
_UINT64 = 2**64 - 1


def to_message(request: RouteRequest) -> pb.RouteDecisionRequest:
    """The message for `request`; `InvalidRequest` for values that no message can carry.

    The service checks all other bounds, and lists all violations at once.
    """
    try:
        message = _message(request)
    except ValueError:  # a lone surrogate, or a number out of range
        violations = tuple(_violations(request))
        if not violations:
            raise
        raise InvalidRequest("nothing was sent", facts=ErrorFacts(violations=violations)) from None
    if message.ByteSize() > REQUEST_BYTES:
        # Said here because gRPC would report it as one more RESOURCE_EXHAUSTED.
        too_large = (FieldViolation("request", f"is over {REQUEST_BYTES} bytes"),)
        raise InvalidRequest("nothing was sent", facts=ErrorFacts(violations=too_large))
    return message


def _message(request: RouteRequest) -> pb.RouteDecisionRequest:
    return pb.RouteDecisionRequest(
        prompt=_prompt(request),
        caller=pb.Caller(
            user_id=request.user_id,
            session_id=request.session_id,
            machine_id=request.machine_id,
            client_request_id=request.client_request_id,
            mode=request.mode,
            user_agent=request.user_agent,
            organization_id=request.organization_id,
            agent_id=request.agent_id,
        ),
        routing=_routing(request),
        data_policy=f"DATA_POLICY_{request.effective_data_policy().name}",
        constraints=_constraints(request),
        requested_model=request.requested_model or request.prompt.requested_model or "",
        body_bytes=request.body_bytes or request.prompt.body_bytes,
        classify=request.classify,
        dry_run=request.dry_run,
    )


def _prompt(request: RouteRequest) -> pb.Prompt:
    prompt = request.prompt
    return pb.Prompt(
        user_prompt_prefix=prompt.user_prompt_prefix,
        latest_user_prompt_prefix=prompt.latest_user_prompt_prefix,
        system_prompt_prefix=prompt.system_prompt_prefix,
        api_kind=f"API_KIND_{prompt.api_kind.name}",
        message_count=prompt.message_count,
        has_tools=prompt.has_tools,
        stream=prompt.stream,
        max_output_tokens=request.effective_max_output_tokens(),
        context_reset=request.effective_context_reset(),
    )


def _routing(request: RouteRequest) -> pb.RoutingContext | None:
    # Candidates without a tier are sent too, so that the service reports the missing tier.
    if request.tier is None and not request.candidates:
        return None
    return pb.RoutingContext(
        auto_model=request.tier or "",
        candidate_models=request.candidates,
        resolved_model=request.static_pick,
        incumbent_model=request.incumbent_model,
    )


def _constraints(request: RouteRequest) -> pb.Constraints:
    constraints = request.effective_constraints()
    return pb.Constraints(
        required_inputs=[f"MODALITY_{each.name}" for each in sorted(constraints.required_inputs)],
        prompt_tokens_estimate=constraints.prompt_tokens_estimate,
        requires_tools=constraints.requires_tools,
        denied_models=constraints.denied_models,
        keep_provider=constraints.keep_provider,
    )


def _violations(request: RouteRequest) -> Iterator[FieldViolation]:
    constraints = request.effective_constraints()
    yield from _ill_formed(
        ("caller.user_id", request.user_id),
        ("caller.session_id", request.session_id),
        ("caller.machine_id", request.machine_id),
        ("caller.client_request_id", request.client_request_id),
        ("caller.mode", request.mode),
        ("caller.user_agent", request.user_agent),
        ("caller.organization_id", request.organization_id),
        ("caller.agent_id", request.agent_id),
        ("routing.auto_model", request.tier),
        *_numbered("routing.candidate_models", names=request.candidates),
        ("routing.resolved_model", request.static_pick),
        ("routing.incumbent_model", request.incumbent_model),
        ("requested_model", request.requested_model or request.prompt.requested_model),
        *_numbered("constraints.denied_models", names=constraints.denied_models),
    )
    yield from _out_of_range(
        ("prompt.message_count", request.prompt.message_count, _UINT32),
        ("prompt.max_output_tokens", request.effective_max_output_tokens(), _UINT32),
        ("constraints.prompt_tokens_estimate", constraints.prompt_tokens_estimate, _UINT32),
        ("body_bytes", request.body_bytes or request.prompt.body_bytes, _UINT64),
    )


def _numbered(field: str, *, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((f"{field}[{index}]", name) for index, name in enumerate(names))


def _ill_formed(*texts: tuple[str, str | None]) -> Iterator[FieldViolation]:
    for field, text in texts:
        if text is not None and not is_well_formed(text):
            yield FieldViolation(field, "is not well-formed Unicode: it has a lone surrogate")


def _out_of_range(*numbers: tuple[str, int | None, int]) -> Iterator[FieldViolation]:
    for field, number, most in numbers:
        if number is not None and not 0 <= number <= most:
            yield FieldViolation(field, f"must be between 0 and {most}")
