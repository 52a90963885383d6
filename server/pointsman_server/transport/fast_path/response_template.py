"""What follows a kept answer in its response: made once for all answers of one shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pointsman_server.core import entry
from pointsman_server.core import stickiness as sticky
from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.decision_record import (
    CachedDecisionLabels,
    DecisionRecord,
    LazyDecisionRecord,
)
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    ConversationSource,
    Decision,
    Outcome,
    RouteRequest,
    Verdict,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.serving import ServeDecision, serve
from pointsman_server.transport.encode import to_decision, to_response_frame
from pointsman_server.transport.fast_path.answer_codec import ANSWER_FIELDS, WireCodec

_CODEC = WireCodec()


class FastPathMeter(Protocol):
    """Counts what goes the short way."""

    def counts_kept(self, mark: CachedDecisionLabels) -> Callable[[float], None]:
        """What to call for each kept decision like `mark`, with the seconds that it took."""
        ...


@dataclass(frozen=True, slots=True)
class ResponseTemplate:
    """The rest of a decision, the rest of the response, and what is told of both."""

    decision: bytes
    response: bytes
    count: Callable[[float], None]
    """Counts a decision that was sent with it, and the seconds that took."""
    record: DecisionRecord
    """Of nobody's call: without an id, and with the detail of the first answer of this shape."""


class ResponseTemplates:
    """Builds them under one version of the policy file."""

    def __init__(self, rules: PolicyFile, *, keys: Keys, meter: FastPathMeter) -> None:
        self._rules = rules
        self._keys = keys
        self._meter = meter

    def build(
        self,
        plan: Plan,
        request: RouteRequest,
        raw: bytes,
        *,
        conversation: bytes,
        source: ConversationSource,
    ) -> ResponseTemplate | None:
        """What the long way would append to the kept answer `raw`; `None`: it would not use it."""
        answer, eligible = _CODEC.load(raw), plan.selection.eligible
        if answer is None or plan.default is None or not entry.holds(answer, eligible):
            return None
        decision = Decision(
            answer=answer,
            policy=plan.tier.policy,
            sticky=sticky.is_sticky(answer, plan.tier.stickiness),
            switch_reason=None,
            fallback_models=sticky.fallback_models(answer, eligible, plan.default),
            propensity=1.0,
            conversation_source=source,
            candidate_count=len(eligible),
            dropped=plan.selection.dropped,
        )
        serving = serve(request, decision, rules=self._rules, conversation=conversation)
        rest = to_decision(decision)
        for name in ANSWER_FIELDS:
            rest.ClearField(name)
        return ResponseTemplate(
            decision=rest.SerializeToString(),
            response=to_response_frame(serving, policy_version=self._rules.version),
            count=self._meter.counts_kept(
                CachedDecisionLabels(
                    source=answer.source,
                    reason=serving.reason,
                    auto_model=plan.tier.name,
                    policy=plan.tier.policy,
                    agreement=self._rules.agree(answer.model, request.static_pick),
                    dropped=tuple(d.reason for d in decision.dropped),
                )
            ),
            record=self._record(request, decision, serving),
        )

    def _record(
        self, request: RouteRequest, decision: Decision, serving: ServeDecision
    ) -> DecisionRecord:
        outcome = Outcome(
            verdict=Verdict.ROUTED,
            serve_model=serving.model,
            decision_id="",
            policy_version=self._rules.version,
            decision=decision,
            shadow=serving.shadow,
            reason=serving.reason,
        )
        told = LazyDecisionRecord(
            request, outcome, rules=self._rules, keys=self._keys, time=0.0, total_seconds=0.0
        )
        return told.materialise()
