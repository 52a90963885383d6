"""What observers are told of one decision: request and outcome, without prompt or raw ids."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.core.model import ApiKind, Mode, Outcome, Reason, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision as metrics, spans and the decision log see it.

    `user_hash` and `session_hash` are keyed hashes in hex; durations are in seconds;
    `engine_seconds` is 0 where no engine was asked.
    """

    outcome: Outcome
    time: float
    mode: Mode
    auto_model: str | None
    static_pick: str | None
    requested_model: str | None
    api_kind: ApiKind
    caller_mode: str | None
    client_request_id: str | None
    user_hash: str
    session_hash: str | None
    message_count: int | None
    prompt_chars: int
    body_bytes: int
    total_seconds: float
    engine_seconds: float
    dry_run: bool

    @property
    def status(self) -> str:
        """The decision log's `status`: `routed`, `skipped:<reason>`, `router_error:<stage>`, ..."""
        outcome = self.outcome
        if outcome.verdict is Verdict.ROUTED:
            return "routed"
        if outcome.verdict is Verdict.FAILED:
            return f"router_error:{outcome.failures[0].stage if outcome.failures else 'unexpected_error'}"
        return f"{outcome.verdict}:{outcome.reason}"

    @property
    def agreement(self) -> bool | None:
        """Whether the decision equals the static pick; `None` where there is no such pair."""
        decision = self.outcome.decision
        if decision is None or self.static_pick is None:
            return None
        return decision.model == self.static_pick

    @property
    def is_error(self) -> bool:
        """Whether an engine failed, even where another one answered."""
        return bool(self.outcome.failures) or self.outcome.reason is Reason.ENGINES_FAILED
