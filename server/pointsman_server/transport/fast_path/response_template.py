"""Response templates: the part after a cached answer, built once per template key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pointsman_server.core.decision_record import (
    CachedDecisionLabels,
    DecisionRecord,
    LazyDecisionRecord,
)
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.transport.encode import to_response, to_rest
from pointsman_server.transport.fast_path.answer_codec import ANSWER_FIELDS, answer_at

_DECISION_ID = b"\x42\x24"  # field 8, 36 bytes


class FastPathMeter(Protocol):
    """Counts answers of the fast path."""

    def counts_cached(self, mark: CachedDecisionLabels) -> Callable[[float], None]:
        """The function to call for each cached decision with these labels, with its seconds."""
        ...


@dataclass(frozen=True, slots=True)
class ResponseTemplate:
    """The rest of a decision and of the response, with their telemetry."""

    answer_at: int
    """The offset of the answer's fields in the cached bytes."""
    decision_bytes: int
    """The size of the decision's other fields, with which `rest` begins."""
    rest: bytes
    """Those, the response's other fields, and the head of the id that comes last."""
    count: Callable[[float], None]
    """Counts a decision that was sent with it, and the seconds that took."""
    record: DecisionRecord
    """Of nobody's call: without an id, and with the detail of the first answer of this kind."""


class ResponseTemplates:
    """Builds them under one version of the policy file."""

    def __init__(self, rules: PolicyFile, *, keys: Keys, meter: FastPathMeter) -> None:
        self._rules = rules
        self._keys = keys
        self._meter = meter

    def build(self, request: RouteRequest, outcome: Outcome, raw: bytes) -> ResponseTemplate | None:
        """Build the template that appends the decider's outcome to the cached answer `raw`."""
        decision = outcome.decision
        if decision is None:
            return None
        response = to_response(outcome)
        rest = response.decision
        for name in ANSWER_FIELDS:
            rest.ClearField(name)
        fields = rest.SerializeToString()
        return ResponseTemplate(
            answer_at=answer_at(raw),
            decision_bytes=len(fields),
            rest=fields + to_rest(response) + _DECISION_ID,
            count=self._meter.counts_cached(
                CachedDecisionLabels(
                    source=decision.answer.source,
                    reason=outcome.reason,
                    auto_model=request.routing.auto_model if request.routing else "",
                    policy=decision.policy,
                    agreement=self._rules.agree(decision.model, request.static_pick),
                    dropped=tuple(d.reason for d in decision.dropped),
                )
            ),
            record=LazyDecisionRecord(
                request, outcome, rules=self._rules, keys=self._keys, time=0.0, total_seconds=0.0
            ).materialise(),
        )
