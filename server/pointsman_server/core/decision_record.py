"""Records of decisions as observers see them: no prompt, no raw ids.

Every decision is observed and few are written. Observers get a `LazyDecisionRecord`, which
computes fields on access, and materialise a `DecisionRecord` to write a log line or a span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

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

DEFAULT_RATE = 0.01
"""The share of decisions that the decision log samples where nothing else is set."""


def effective_rate(raw: str | None) -> float:
    """`raw` as a share between 0 and 1; the default where it is unset, blank or no such number."""
    if raw is None:
        return DEFAULT_RATE
    try:
        rate = float(raw)
    except ValueError:
        return DEFAULT_RATE
    # Also refuses nan, which compares false with everything.
    return rate if 0.0 <= rate <= 1.0 else DEFAULT_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDecisionLabels:
    """Metric labels of a cached decision that was sent from its bytes."""

    source: Source
    reason: Reason | None
    auto_model: str
    policy: str
    agreement: bool | None
    dropped: tuple[DropReason, ...]


class CachedDecisionDetail(NamedTuple):
    """Individual fields of a cached decision, which differ within one template."""

    confidence: float | None
    effort: float | None
    ambiguity: str | None
    domain: str | None


class DecisionView(Protocol):
    """A decision for observers: the counted fields, and the rest on demand."""

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        ...

    @property
    def total_seconds(self) -> float:
        """From the validated request to the outcome."""
        ...

    @property
    def dry_run(self) -> bool:
        """Whether it was only tried out."""
        ...

    @property
    def log_sampled(self) -> bool | None:
        """Whether the dice fell for this call before it was decided; `None`: not thrown."""
        ...

    @property
    def auto_model(self) -> str | None:
        """The tier, if the policy file knows it, else `unlisted`."""
        ...

    @property
    def agreement(self) -> bool | None:
        """Whether the decision is the static pick; `None` where there is no such pair."""
        ...

    def materialise(self) -> DecisionRecord:
        """The complete record, which observers may store."""
        ...


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
    log_sampled: bool | None = None
    """Whether the dice fell for this call before it was decided; `None`: they were not thrown."""

    @property
    def engine_seconds(self) -> float:
        """Seconds spent waiting for engines; 0 if none was called."""
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
        return is_error(self.outcome)

    def materialise(self) -> DecisionRecord:
        """Itself: a record is whole."""
        return self


def is_error(outcome: Outcome) -> bool:
    """Whether an engine failed, even where another one answered."""
    return bool(outcome.failures) or outcome.reason is Reason.ENGINES_FAILED


class LazyDecisionRecord:
    """One decision during observation. It holds the request, so observers must not store it."""

    __slots__ = ("_keys", "_request", "_rules", "_time", "log_sampled", "outcome", "total_seconds")

    def __init__(
        self,
        request: RouteRequest,
        outcome: Outcome,
        *,
        rules: PolicyFile,
        keys: Keys,
        time: float,
        total_seconds: float,
        log_sampled: bool | None = None,
    ) -> None:
        self._request = request
        self._rules = rules
        self._keys = keys
        self._time = time
        self.outcome = outcome
        self.total_seconds = total_seconds
        self.log_sampled = log_sampled

    @property
    def dry_run(self) -> bool:
        """Whether it was only tried out."""
        return self._request.dry_run

    @property
    def auto_model(self) -> str | None:
        """The tier, if the policy file knows it, else `unlisted`."""
        routing = self._request.routing
        return None if routing is None else self._rules.listed(routing.auto_model)

    @property
    def agreement(self) -> bool | None:
        """Whether the decision is the static pick; `None` where there is no such pair."""
        decision = self.outcome.decision
        if decision is None:
            return None
        return self._rules.agree(decision.answer.model, self._request.static_pick)

    def materialise(self) -> DecisionRecord:
        """The complete record: names from the policy file, hashes, counts."""
        request, outcome = self._request, self.outcome
        rules, tag = self._rules, self._keys.tag
        caller, prompt = request.caller, request.prompt
        known_mode = caller.mode is None or caller.mode in rules.log.known_modes
        return DecisionRecord(
            outcome=outcome,
            time=self._time,
            mode=rules.mode,
            auto_model=self.auto_model,
            static_pick=rules.listed(request.static_pick),
            served_model=rules.listed(outcome.serve_model or None),
            requested_model=rules.listed(request.requested_model),
            api_kind=prompt.api_kind,
            caller_mode=caller.mode if known_mode else UNLISTED,
            user_hash=tag("user", caller.user_id) or "",
            session_hash=tag("session", caller.session_id),
            request_hash=tag("request", caller.client_request_id),
            message_count=prompt.message_count,
            prompt_chars=len(prompt.chosen() or ""),
            body_bytes=request.body_bytes,
            total_seconds=self.total_seconds,
            dry_run=self.dry_run,
            agreement=self.agreement,
            log_sampled=self.log_sampled,
        )
