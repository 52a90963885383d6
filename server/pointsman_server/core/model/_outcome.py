"""The outcome of one request, for the gateway."""

from __future__ import annotations

from pointsman_server.core.model._engine import Classification, EngineAnswer, EngineFailure
from pointsman_server.core.model._words import (
    ConversationSource,
    DropReason,
    Reason,
    SwitchReason,
    Verdict,
)
from pointsman_server.core.value import value


@value(kw_only=True)
class Dropped:
    """A candidate of the request that was not decided between."""

    model: str
    reason: DropReason


@value(kw_only=True)
class Decision:
    """A model, where it came from and why."""

    answer: EngineAnswer
    policy: str
    sticky: bool
    switch_reason: SwitchReason | None
    fallback_models: tuple[str, ...]
    propensity: float
    conversation_source: ConversationSource
    candidate_count: int
    dropped: tuple[Dropped, ...]

    @property
    def model(self) -> str:
        """The public id of the model that was decided for."""
        return self.answer.model


@value(kw_only=True)
class Outcome:
    """The outcome of one request, the source of the response."""

    verdict: Verdict
    serve_model: str
    decision_id: str
    policy_version: str
    decision: Decision | None = None
    shadow: bool = False
    reason: Reason | None = None
    failures: tuple[EngineFailure, ...] = ()
    classification: Classification | None = None
    dropped: tuple[Dropped, ...] = ()
    """Of a request that was skipped for want of candidates."""
    engine_seconds: float = 0.0
    """Time spent waiting for engines; 0 without a call."""
