"""One resolution: purpose -> route -> attempts; through a decision where the route names a tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pointsman_server.core.candidates import select
from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import Outcome, RouteRequest, provider_of
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import Clock, Switches
from pointsman_server.core.routes import (
    Attempt,
    Resolution,
    ResolveRequest,
    Route,
    attempt_of,
    distinct,
    fallback_attempts,
    profile_attempts,
    route_of,
)


class Decides(Protocol):
    """Decides for one request, as `RouteDecision` does."""

    async def decide(self, request: RouteRequest, *, deadline: float | None = None) -> Outcome:
        """Answer one request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRecord:
    """One resolution as metrics, spans and the decision log see it: names of the policy file only.

    `run_hash` is a keyed hash in hex; durations are in seconds.
    """

    resolution: Resolution
    time: float
    purpose: str
    tier: str | None
    overridden: bool
    run_hash: str
    total_seconds: float
    dry_run: bool = False

    @property
    def profile(self) -> str | None:
        """The first attempt's profile; `None` where it has none."""
        attempts = self.resolution.attempts
        return attempts[0].profile or None if attempts else None


class ResolutionObserver(Protocol):
    """Observer of every resolution. It must neither block nor raise."""

    def resolved(self, record: ResolutionRecord) -> None:
        """Observe `record`."""
        ...


class Resolver:
    """Resolves under one version of the policy file."""

    def __init__(
        self,
        *,
        rules: PolicyFile,
        decider: Decides,
        switches: Switches,
        keys: Keys,
        clock: Clock,
        observers: Sequence[ResolutionObserver] = (),
    ) -> None:
        self._rules = rules
        self._decider = decider
        self._switches = switches
        self._keys = keys
        self._clock = clock
        self._observers = tuple(observers)

    async def resolve(
        self, request: ResolveRequest, *, deadline: float | None = None
    ) -> Resolution:
        """Answer one request; `deadline` is on the monotonic clock.

        Raises `UnknownPurpose`, `UnknownProfile`, and `InvalidRequest` where a tier is to be
        decided for and there is nothing to decide from.
        """
        started = self._clock.monotonic()
        route = route_of(self._rules.llm, request.purpose)
        tier = route.tier if request.profile_override is None else None
        if tier is None:
            resolution = Resolution(
                attempts=profile_attempts(self._rules.llm, route, request),
                eligible_errors=route.eligible_errors,
                policy_version=self._rules.version,
            )
        else:
            resolution = await self._decided(request, route, tier, deadline)
        # Reads the decision log's sample rate, also in a service that only resolves.
        await self._switches.current()
        self._tell(request, resolution, tier, started)
        return resolution

    async def _decided(
        self, request: ResolveRequest, route: Route, tier: str, deadline: float | None
    ) -> Resolution:
        """The tier's decision as attempts: the model to serve, then the ranking."""
        ask = _with_tier(request.ask, tier, self._rules)
        outcome = await self._decider.decide(ask, deadline=deadline)
        decision = outcome.decision
        ranking: tuple[str, ...]
        if decision is not None:
            ranking = (decision.model, *decision.fallback_models)
        else:
            ranking = self._eligible(ask)
        models = distinct(m for m in (outcome.serve_model, *ranking) if m)
        found = (
            *(_model_attempt(m, self._rules, share=float(m == models[0])) for m in models),
            *fallback_attempts(self._rules.llm, route),
        )
        attempts: dict[tuple[str, str], Attempt] = {}
        for attempt in found:
            # Two public ids may name one profile's model, and a fallback profile too.
            attempts.setdefault(
                (attempt.profile, "" if attempt.profile else attempt.model), attempt
            )
        return Resolution(
            attempts=tuple(attempts.values()),
            eligible_errors=route.eligible_errors,
            policy_version=self._rules.version,
            outcome=outcome,
        )

    def _eligible(self, ask: RouteRequest) -> tuple[str, ...]:
        """The candidates that may serve, in the order given, where nothing was decided."""
        ids = ask.routing.candidate_models if ask.routing else ()
        selection = select(ids, rules=self._rules, constraints=ask.constraints)
        return tuple(m.public_id for m in selection.eligible)

    def _tell(
        self, request: ResolveRequest, resolution: Resolution, tier: str | None, started: float
    ) -> None:
        record = ResolutionRecord(
            resolution=resolution,
            time=self._clock.time(),
            purpose=request.purpose,
            tier=tier,
            overridden=request.profile_override is not None,
            run_hash=self._keys.tag("run", request.run_id) or "",
            total_seconds=self._clock.monotonic() - started,
            dry_run=bool(request.ask and request.ask.dry_run),
        )
        for observer in self._observers:
            observer.resolved(record)


def _with_tier(ask: RouteRequest | None, tier: str, rules: PolicyFile) -> RouteRequest:
    """The decision's request: the tier in place, its candidates and the safe answer filled in."""
    if ask is None or ask.routing is None:
        missing = "is required: the purpose's route names a tier"
        raise InvalidRequest([FieldViolation(f, missing) for f in ("prompt", "caller")])
    routing = ask.routing
    candidates = routing.candidate_models or rules.tiers[tier].default_candidates
    if not candidates:
        missing = "is required: the tier of the purpose's route names none of its own"
        raise InvalidRequest([FieldViolation("candidate_models", missing)])
    routing = replace(routing, auto_model=tier, candidate_models=candidates)
    if routing.resolved_model is None:
        allowed = select(candidates, rules=rules, constraints=ask.constraints).eligible
        first = allowed[0].public_id if allowed else None
        routing = replace(routing, resolved_model=first)
    if routing.incumbent_model is not None:
        served = _public_id(routing.incumbent_model, candidates, rules)
        routing = replace(routing, incumbent_model=served)
    return replace(ask, routing=routing)


def _public_id(named: str, candidates: Sequence[str], rules: PolicyFile) -> str:
    """The candidate that an attempt's `model`, alone or behind its provider, names.

    Of a profile's attempt it is no public id. A name of none or of several holds as it is.
    """
    if named in rules.catalog:
        return named
    _, _, rest = named.partition("/")
    found = [
        c
        for c in candidates
        if named in _names(c, rules)
        or (provider_of(named) == provider_of(c) and rest in _names(c, rules))
    ]
    return found[0] if len(found) == 1 else named


def _names(model: str, rules: PolicyFile) -> set[str]:
    """The names by which a profile may have a model of the catalog."""
    known = rules.catalog.get(model)
    return {model, model.partition("/")[2], (known.router_id if known else None) or model}


def _model_attempt(model: str, rules: PolicyFile, *, share: float) -> Attempt:
    """A model as something to try: through the profile that names it, where there is one."""
    names = _names(model, rules)
    for profile in rules.llm.profiles.values():
        if profile.provider == provider_of(model) and profile.model in names:
            return attempt_of(profile, share=share)
    return Attempt(profile="", provider=provider_of(model), model=model, share=share)
