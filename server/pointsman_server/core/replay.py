"""Routed outcomes, and when a cached answer may be replayed as it is.

The decider builds every outcome here. The fast path asks `replay` once for each kind of cached
answer and repeats its bytes.
"""

from __future__ import annotations

from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.conversation_slot import EMPTY_SLOT, ConversationSlot
from pointsman_server.core.incumbent import Weighed
from pointsman_server.core.model import (
    ConversationSource,
    Decision,
    EngineAnswer,
    Outcome,
    RouteRequest,
    Stickiness,
    SwitchReason,
    Verdict,
    provider_of,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.serving import serve
from pointsman_server.core.stickiness import fallback_models, is_sticky
from pointsman_server.core.value import value


@value(kw_only=True)
class Conversation:
    """A conversation's key and identity."""

    key: bytes
    source: ConversationSource


def routed(
    request: RouteRequest,
    plan: Plan,
    answer: EngineAnswer,
    *,
    rules: PolicyFile,
    conversation: Conversation,
    sticky: bool,
    switch: SwitchReason | None = None,
    decision_id: str = "",
    engine_seconds: float = 0.0,
) -> Outcome:
    """The outcome of a request that `answer` decides, and the model to serve."""
    candidates = plan.selection.eligible
    serving = serve(request, answer, rules=rules, conversation=conversation.key)
    return Outcome(
        verdict=Verdict.ROUTED,
        serve_model=serving.model,
        decision_id=decision_id,
        policy_version=rules.version,
        decision=Decision(
            answer=answer,
            policy=plan.tier.policy,
            sticky=sticky,
            # If the static pick is served instead, the conversation does not move.
            switch_reason=switch if serving.reason is None else None,
            fallback_models=fallback_models(answer, candidates, plan.default or candidates[0]),
            propensity=1.0,
            conversation_source=conversation.source,
            candidate_count=len(candidates),
            dropped=plan.selection.dropped,
        ),
        shadow=serving.shadow,
        reason=serving.reason,
        failures=answer.failures,
        engine_seconds=engine_seconds,
    )


def slot_after(
    slot: ConversationSlot | None,
    outcome: Outcome,
    *,
    rules: PolicyFile,
    weighed: Weighed | None = None,
) -> ConversationSlot:
    """The conversation's slot after an outcome.

    `weighed` is the answer that the outcome rests on. The decided model counts unless the
    static pick is served instead: then the conversation does not move. Of a name outside the
    catalog, the provider alone is stored, and that only if the catalog has it.
    """
    after = slot or EMPTY_SLOT
    if outcome.serve_model:
        after = after.serving(_known_part(outcome.serve_model, rules))
    if outcome.decision is not None and outcome.reason is None:
        effort, compared = (weighed.effort, weighed.compared) if weighed else (None, False)
        after = after.routed_to(outcome.decision.answer, effort=effort, compared=compared)
    return after


def _known_part(model: str, rules: PolicyFile) -> str:
    """The model if the catalog has it, else its provider before a slash; a slash: neither."""
    if model in rules.catalog:
        return model
    provider = provider_of(model)
    return f"{provider}/" if provider in rules.providers else "/"


def replay(
    request: RouteRequest,
    plan: Plan,
    answer: EngineAnswer,
    slot: ConversationSlot | None,
    *,
    rules: PolicyFile,
    conversation: Conversation,
) -> Outcome | None:
    """The outcome of a cached answer that changes nothing; `None` where the decider has to weigh.

    The answer belongs to the request's candidates, and the conversation is on its model already:
    as the slot says, and as the gateway does where it names a model. Under `adaptive`, the
    repetition of a hard first decision is weighed once, so that the decision counts as compared.
    """
    if plan.default is None or slot is None or not contains_answer(answer, plan.selection.eligible):
        return None
    adaptive = plan.tier.stickiness is Stickiness.ADAPTIVE
    if adaptive and (request.prompt.context_reset or slot.is_unweighed_hard):
        return None
    named = request.routing.incumbent_model if request.routing else None
    if named is not None and named != slot.served:
        return None
    sticky = adaptive or is_sticky(answer, plan.tier.stickiness)
    outcome = routed(request, plan, answer, rules=rules, conversation=conversation, sticky=sticky)
    if slot_after(slot, outcome, rules=rules).models != slot.models:
        return None
    return outcome
