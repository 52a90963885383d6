"""One decision, in the order of the design: the ladder that every request climbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pointsman_server.core import entry
from pointsman_server.core import stickiness as sticky
from pointsman_server.core.candidate_plan import MINIMUM_CANDIDATES, Plan, Planner
from pointsman_server.core.candidates import Selection, fence
from pointsman_server.core.decision_record import LazyDecisionRecord
from pointsman_server.core.eligible_engines import eligible_engines, may_classify
from pointsman_server.core.errors import EngineFailed, EnginesFailed
from pointsman_server.core.incumbents import ConversationModels
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    ConversationSource,
    Decision,
    Dropped,
    EngineAnswer,
    EngineQuery,
    Mode,
    Outcome,
    Reason,
    RouteRequest,
    SwitchReason,
    Tier,
    Verdict,
    provider_of,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import (
    ClassificationLeg,
    Clock,
    DecisionEngine,
    DecisionObserver,
    Switches,
)
from pointsman_server.core.serving import ServeDecision, is_served, serve


class Decider:
    """Decides under one version of the policy file."""

    def __init__(
        self,
        *,
        rules: PolicyFile,
        engine: DecisionEngine,
        incumbents: ConversationModels,
        switches: Switches,
        classification: ClassificationLeg,
        keys: Keys,
        clock: Clock,
        new_id: Callable[[], str],
        observers: Sequence[DecisionObserver] = (),
    ) -> None:
        self._rules = rules
        self._planner = Planner(rules)
        self._engine = engine
        self._incumbents = incumbents
        self._switches = switches
        self._classification = classification
        self._keys = keys
        self._clock = clock
        self._new_id = new_id
        self._observers = tuple(observers)

    async def decide(
        self,
        request: RouteRequest,
        *,
        deadline: float | None = None,
        log_sampled: bool | None = None,
    ) -> Outcome:
        """Answer one request; `deadline` is on the monotonic clock. Engine failures are values.

        `log_sampled`: whether the decision log sampled this call; `None` leaves it to the log.
        The answer leaves when the decision is ready, with the classification if that is ready.
        """
        started = self._clock.monotonic()
        if request.classify:
            remote = await self._classifies_remotely(request)
            async with self._classification.beside(request.prompt, remote=remote) as ready:
                outcome = replace(await self._route(request, deadline), classification=ready())
        else:
            outcome = await self._route(request, deadline)
        self._tell(request, outcome, started, log_sampled)
        return outcome

    async def _route(self, request: RouteRequest, deadline: float | None) -> Outcome:
        try:
            case = await self._prepare(request, deadline)
        except _Ended as end:
            unrouted = self._unrouted(request, end.verdict, end.reason)
            return replace(unrouted, dropped=end.dropped)
        asked = self._clock.monotonic()
        try:
            answer = case.sole or await self._engine.decide(case.query)
        except (EngineFailed, EnginesFailed) as error:
            failed = self._unrouted(request, Verdict.FAILED, Reason.ENGINES_FAILED)
            failures = error.failures
            return replace(
                failed, failures=failures, engine_seconds=self._clock.monotonic() - asked
            )
        waited = 0.0 if answer.cached else self._clock.monotonic() - asked
        decision = self._decision(case, answer)
        serving = serve(request, decision, rules=self._rules, conversation=case.conversation)
        if not request.dry_run:
            switch = await self._move(case, answer, serving)
            decision = replace(decision, switch_reason=switch) if switch else decision
        return Outcome(
            verdict=Verdict.ROUTED,
            serve_model=serving.model,
            decision_id=self._new_id(),
            policy_version=self._rules.version,
            decision=decision,
            shadow=serving.shadow,
            reason=serving.reason,
            failures=answer.failures,
            engine_seconds=waited,
        )

    async def _prepare(self, request: RouteRequest, deadline: float | None) -> _Case:
        """Everything up to the cache: what is asked, of whom, between which models."""
        rules, routing = self._rules, request.routing
        if routing is None:
            raise _Ended(Verdict.OFF, Reason.NO_ROUTING_CONTEXT)
        if rules.mode is Mode.OFF:
            raise _Ended(Verdict.OFF, Reason.MODE_OFF)
        switches = await self._switches.current()
        engines = eligible_engines(request, rules=rules, switches=switches)
        if engines.reason in _OFF:
            raise _Ended(Verdict.OFF, engines.reason)
        plan = self._planner.plan(routing, request.constraints, engines.names)
        if plan is None:
            raise _Ended(Verdict.SKIPPED, Reason.UNKNOWN_TIER)
        prompt = request.prompt.chosen()
        if prompt is None:
            raise _Ended(Verdict.SKIPPED, Reason.NO_PROMPT)
        if plan.default is None:
            dropped = plan.selection.dropped
            raise _Ended(Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES, dropped)
        if engines.reason is not None:
            raise _Ended(Verdict.SKIPPED, engines.reason)
        conversation, source = self._keys.conversation(request)
        query = EngineQuery(
            prompt=prompt,
            candidates=plan.selection.eligible,
            policy=plan.tier.policy,
            default=plan.default,
            engines=engines.names,
            deadline=deadline,
            key=None if request.dry_run else self._key(request, plan, conversation),
        )
        case = _Case(plan.tier, plan.selection, query, conversation, source)
        if request.constraints.keep_provider and not request.dry_run:
            served = is_served(conversation, rules)
            return _fenced(case, await self._incumbents.get(conversation, served=served))
        return case

    async def _classifies_remotely(self, request: RouteRequest) -> bool:
        """Whether the prompt may be sent to the engine that the policy file has classify."""
        engine = self._rules.classify_engine
        if engine is None:
            return False
        switches = await self._switches.current()
        return may_classify(engine, request, rules=self._rules, switches=switches)

    def _key(self, request: RouteRequest, plan: Plan, conversation: bytes) -> bytes:
        return self._keys.decision(
            conversation=conversation,
            fingerprint=plan.fingerprint,
            stickiness=plan.tier.stickiness,
            prompt=request.prompt,
        )

    async def _move(
        self, case: _Case, answer: EngineAnswer, serving: ServeDecision
    ) -> SwitchReason | None:
        """Note the model that the conversation is on now, and keep that note alive."""
        if answer.cached:
            if case.incumbent is not None:
                await self._incumbents.put(
                    case.conversation, case.incumbent, served=not serving.shadow
                )
            return None
        # Where the static pick is served instead, the conversation does not go there.
        if serving.reason is not None:
            return None
        served = not serving.shadow
        incumbent = case.incumbent
        if incumbent is None:
            incumbent = await self._incumbents.replace(case.conversation, answer, served=served)
        else:
            await self._incumbents.put(case.conversation, answer, served=served)
        before = incumbent.model if incumbent else None
        return sticky.switch_reason(before, answer.model, case.query.candidates)

    def _decision(self, case: _Case, answer: EngineAnswer) -> Decision:
        query = case.query
        return Decision(
            answer=answer,
            policy=query.policy,
            sticky=sticky.is_sticky(answer, case.tier.stickiness) or case.sole is not None,
            switch_reason=None,
            fallback_models=sticky.fallback_models(answer, query.candidates, query.default),
            propensity=1.0,
            conversation_source=case.conversation_source,
            candidate_count=len(query.candidates),
            dropped=case.selection.dropped,
        )

    def _unrouted(self, request: RouteRequest, verdict: Verdict, reason: Reason) -> Outcome:
        return Outcome(
            verdict=verdict,
            serve_model=request.static_pick or "",
            decision_id=self._new_id(),
            policy_version=self._rules.version,
            reason=reason,
        )

    def _tell(
        self, request: RouteRequest, outcome: Outcome, started: float, log_sampled: bool | None
    ) -> None:
        told = LazyDecisionRecord(
            request,
            outcome,
            rules=self._rules,
            keys=self._keys,
            time=self._clock.time(),
            total_seconds=self._clock.monotonic() - started,
            log_sampled=log_sampled,
        )
        for observer in self._observers:
            observer.on_decision(told)


_OFF = frozenset({Reason.FLAG_OFF, Reason.ORGANIZATION_EXCLUDED})


class _Ended(Exception):
    """The ladder ends early: there is nothing to ask an engine."""

    def __init__(self, verdict: Verdict, reason: Reason, dropped: tuple[Dropped, ...] = ()) -> None:
        self.verdict = verdict
        self.reason = reason
        self.dropped = dropped
        super().__init__(verdict, reason)


@dataclass(frozen=True, slots=True)
class _Case:
    """A request that is worth an engine's time."""

    tier: Tier
    selection: Selection
    query: EngineQuery
    conversation: bytes
    conversation_source: ConversationSource
    incumbent: EngineAnswer | None = None
    sole: EngineAnswer | None = None
    """The incumbent's answer, when the fence leaves nothing else to decide between."""


def _fenced(case: _Case, incumbent: EngineAnswer | None) -> _Case:
    """Hold the conversation to its incumbent's provider, if it has an incumbent.

    The key stays that of the whole candidate set, so that a kept decision is found with and
    without the fence.
    """
    if incumbent is None:
        return case
    selection = fence(case.selection, provider_of(incumbent.model))
    candidates = selection.eligible
    stays = entry.holds(incumbent, candidates)
    if len(candidates) < MINIMUM_CANDIDATES and not stays:
        raise _Ended(Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES, selection.dropped)
    default = case.query.default if case.query.default in candidates else candidates[0]
    query = replace(case.query, candidates=candidates, default=default)
    sole = incumbent if len(candidates) < MINIMUM_CANDIDATES else None
    return replace(case, selection=selection, query=query, incumbent=incumbent, sole=sole)
