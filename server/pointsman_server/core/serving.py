"""Whether a decision is served, and to whom: mode, share, ambiguity, a concrete request."""

from __future__ import annotations

from pointsman_server.core.effort import NEEDS_INFO
from pointsman_server.core.model import EngineAnswer, Mode, Reason, RouteRequest
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.value import value


@value()
class ServeDecision:
    """The model to serve now, and why it is not the decision's where it is not."""

    model: str
    shadow: bool
    reason: Reason | None


def serve(
    request: RouteRequest, answer: EngineAnswer, *, rules: PolicyFile, conversation: bytes
) -> ServeDecision:
    """The answer's model where it may be served, else the static pick.

    An ambiguous prompt stays exactly as it was without routing, unless its conversation stays on
    its model; a request that named a concrete model keeps it.
    """
    static_pick = request.static_pick or ""
    shadow = not is_served(conversation, rules)
    if answer.difficulty == NEEDS_INFO and answer.pick is None:
        return ServeDecision(static_pick, shadow, Reason.AMBIGUOUS)
    if names_concrete_model(request, rules):
        return ServeDecision(static_pick, shadow, Reason.CONCRETE_MODEL_REQUESTED)
    if shadow:
        return ServeDecision(static_pick, shadow, None)
    return ServeDecision(answer.model, shadow, None)


def is_served(conversation: bytes, rules: PolicyFile) -> bool:
    """Whether decisions for a conversation are to be served at all."""
    return rules.mode is Mode.SERVE and in_share(conversation, rules.serve_percent)


def in_share(conversation: bytes, percent: float) -> bool:
    """Whether a conversation belongs to the first `percent` of all; the same on every call."""
    return int.from_bytes(conversation[:8], "big") * 100 < percent * 2**64


def names_concrete_model(request: RouteRequest, rules: PolicyFile) -> bool:
    """Whether the caller named a model instead of a tier."""
    name = request.requested_model
    if not name or request.routing is None:
        return False
    return name != request.routing.auto_model and not rules.is_virtual(name)
