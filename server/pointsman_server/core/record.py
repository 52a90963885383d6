"""What observers are told of one decision: request and outcome, without prompt or raw ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    ApiKind,
    DropReason,
    Mode,
    Outcome,
    Reason,
    RouteRequest,
    Source,
    Verdict,
)
from pointsman_server.core.policy_file import UNLISTED, PolicyFile


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMark:
    """What is counted of a kept decision that was sent as it lay in the cache."""

    source: Source
    reason: Reason | None
    auto_model: str
    policy: str
    agreement: bool | None
    dropped: tuple[DropReason, ...]


class KeptDetail(NamedTuple):
    """What is told of a kept decision and is not alike for all that are sent alike."""

    confidence: float | None
    ambiguity: str | None
    domain: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision as metrics, spans and the decision log see it.

    Names of tiers and models that the policy file does not know stand as `unlisted`: use these,
    not the raw ones of `outcome`.

    `user_hash`, `session_hash` and `request_hash` (of the client's request id) are keyed hashes in
    hex; durations are in seconds.
    """

    outcome: Outcome
    time: float
    mode: Mode
    auto_model: str | None
    static_pick: str | None
    served_model: str | None
    requested_model: str | None
    api_kind: ApiKind
    caller_mode: str | None
    user_hash: str
    session_hash: str | None
    request_hash: str | None
    message_count: int | None
    prompt_chars: int
    body_bytes: int
    total_seconds: float
    dry_run: bool
    agreement: bool | None = None
    """Whether the decision is the static pick; `None` where there is no such pair."""
    drawn: bool | None = None
    """Whether the dice fell for this call before it was decided; `None`: they were not thrown."""

    @property
    def engine_seconds(self) -> float:
        """How long engines were waited for; 0 when none was asked."""
        return self.outcome.engine_seconds

    @property
    def status(self) -> str:
        """The decision log's `status`: `routed`, `skipped:<reason>`, `router_error:<stage>`, ..."""
        outcome = self.outcome
        if outcome.verdict is Verdict.ROUTED:
            return "routed"
        if outcome.verdict is Verdict.FAILED:
            return f"router_error:{outcome.failures[0].stage}"
        return f"{outcome.verdict}:{outcome.reason}"

    @property
    def is_error(self) -> bool:
        """Whether an engine failed, even where another one answered."""
        return bool(self.outcome.failures) or self.outcome.reason is Reason.ENGINES_FAILED


def build_record(
    request: RouteRequest,
    outcome: Outcome,
    *,
    rules: PolicyFile,
    keys: Keys,
    time: float,
    total_seconds: float,
    drawn: bool | None = None,
) -> DecisionRecord:
    """What may be told of a request: names that the policy file knows, hashes, counts."""
    caller, prompt = request.caller, request.prompt
    decision = outcome.decision
    known_mode = caller.mode is None or caller.mode in rules.log.known_modes
    return DecisionRecord(
        outcome=outcome,
        time=time,
        mode=rules.mode,
        auto_model=rules.listed(request.routing.auto_model if request.routing else None),
        static_pick=rules.listed(request.static_pick),
        served_model=rules.listed(outcome.serve_model or None),
        requested_model=rules.listed(request.requested_model),
        api_kind=prompt.api_kind,
        caller_mode=caller.mode if known_mode else UNLISTED,
        user_hash=keys.tag("user", caller.user_id) or "",
        session_hash=keys.tag("session", caller.session_id),
        request_hash=keys.tag("request", caller.client_request_id),
        message_count=prompt.message_count,
        prompt_chars=len(prompt.chosen() or ""),
        body_bytes=request.body_bytes,
        total_seconds=total_seconds,
        dry_run=request.dry_run,
        agreement=rules.agree(decision.model, request.static_pick) if decision else None,
        drawn=drawn,
    )
