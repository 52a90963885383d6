"""One decision, in the order of the design: the ladder that every request climbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.case import Case, Ended
from pointsman_server.core.decision_record import LazyDecisionRecord
from pointsman_server.core.effort import NEEDS_INFO
from pointsman_server.core.eligible_engines import EligibleEngines, eligible_engines, may_classify
from pointsman_server.core.errors import EngineFailed, EnginesFailed
from pointsman_server.core.incumbent import Weighed, incumbent_of
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    EngineAnswer,
    Mode,
    Outcome,
    Reason,
    RouteRequest,
    Stickiness,
    Verdict,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import (
    ClassificationLeg,
    Clock,
    ConversationMemory,
    DecisionEngine,
    DecisionObserver,
    Switches,
    TurnReader,
)
from pointsman_server.core.preparation import Prepared, Recalled
from pointsman_server.core.replay import replay, routed, slot_after
from pointsman_server.core.serving import is_served, names_concrete_model
from pointsman_server.core.stickiness import settle
from pointsman_server.core.turn import Turn, is_probe, turn_of

_OFF = frozenset({Reason.FLAG_OFF, Reason.MODE_OFF})
_MODE_OFF = EligibleEngines((), Reason.MODE_OFF)
_NOTHING = Recalled(None, None)


class Decider:
    """Decides under one version of the policy file."""

    def __init__(
        self,
        *,
        rules: PolicyFile,
        planner: Planner,
        engine: DecisionEngine,
        memory: ConversationMemory,
        reader: TurnReader,
        switches: Switches,
        classification: ClassificationLeg,
        keys: Keys,
        clock: Clock,
        new_id: Callable[[], str],
        observers: Sequence[DecisionObserver] = (),
    ) -> None:
        self._rules = rules
        self._planner = planner
        self._engine = engine
        self._memory = memory
        self._reader = reader
        self._switches = switches
        self.classification = classification
        self._keys = keys
        self._clock = clock
        self._new_id = new_id
        self.observers = tuple(observers)

    async def decide(
        self,
        request: RouteRequest,
        *,
        deadline: float | None = None,
        log_sampled: bool | None = None,
        prepared: Prepared | None = None,
    ) -> Outcome:
        """Answer one request; `deadline` is on the monotonic clock. Engine failures are values.

        `log_sampled`: whether the decision log sampled this call; `None` leaves it to the log.
        `prepared`: results of the fast path for this request.
        The answer leaves when the decision is ready, with the classification if that is ready.
        """
        started = self._clock.monotonic()
        if request.classify:
            remote = await self._classifies_remotely(request)
            async with self.classification.beside(request.prompt, remote=remote) as ready:
                outcome = await self._remembered(request, deadline, prepared)
                outcome = replace(outcome, classification=ready())
        else:
            outcome = await self._remembered(request, deadline, prepared)
        self._record(request, outcome, started, log_sampled)
        return outcome

    async def _remembered(
        self, request: RouteRequest, deadline: float | None, prepared: Prepared | None
    ) -> Outcome:
        """The outcome, between reading the conversation's slot and writing its changes."""
        try:
            prepared = prepared or await self.prepare(request)
        except Ended as end:
            return self._unrouted(request, end)
        known = _NOTHING if request.dry_run else await self._memory.recall(prepared)
        weighed = None
        try:
            case = self._case(request, prepared, known)
            outcome, weighed = await self._route(case, deadline)
        except Ended as end:
            outcome = self._unrouted(request, end)
        if not request.dry_run:
            effort = weighed.effort if weighed else None
            after = slot_after(known.slot, outcome, rules=self._rules, effort=effort)
            await self._memory.note(prepared.conversation, after, before=known.slot)
        return outcome

    async def prepare(self, request: RouteRequest) -> Prepared:
        """The plan and the keys. Ends where there is no conversation to remember.

        Where routing is off there is no plan: the static pick is served, and remembered.
        """
        routing = request.routing
        if routing is None:
            raise Ended(Verdict.OFF, Reason.NO_ROUTING_CONTEXT)
        engines = await self._eligible_engines(request)
        if engines.reason is Reason.ORGANIZATION_EXCLUDED:
            raise Ended(Verdict.OFF, engines.reason)
        plan = None
        if engines.reason not in _OFF:
            plan = self._planner.plan(routing, request.constraints, engines.names)
        conversation, source = self._keys.conversation(request)
        key = None
        if plan is not None and plan.fingerprint and not request.dry_run:
            key = self._keys.decision(
                conversation=conversation,
                fingerprint=plan.fingerprint,
                stickiness=plan.tier.stickiness,
                prompt=request.prompt,
            )
        return Prepared(plan, engines, conversation, source, key)

    async def _eligible_engines(self, request: RouteRequest) -> EligibleEngines:
        if self._rules.mode is Mode.OFF:
            return _MODE_OFF
        switches = await self._switches.current()
        return eligible_engines(request, rules=self._rules, switches=switches)

    def _case(self, request: RouteRequest, prepared: Prepared, known: Recalled) -> Case:
        """The request's case: tier, conversation, candidates. Ends early if there is no choice."""
        plan, prompt, slot = prepared.plan, request.prompt.chosen(), known.slot
        if prepared.engines.reason in _OFF:
            raise Ended(Verdict.OFF, prepared.engines.reason)
        if plan is None:
            raise Ended(Verdict.SKIPPED, Reason.UNKNOWN_TIER)
        plan = self._planner.fenced(plan, request, slot, engines=prepared.engines.names)
        served = is_served(prepared.conversation, self._rules)
        incumbent = incumbent_of(request, slot, plan.selection.eligible, served=served)
        is_adaptive = plan.tier.stickiness is Stickiness.ADAPTIVE
        if prompt is None and not (is_adaptive and incumbent):
            raise Ended(Verdict.SKIPPED, Reason.NO_PROMPT)
        if plan.default is None:
            reason = Reason.INSUFFICIENT_CANDIDATES
            if plan.fenced_out:
                reason = Reason.PROVIDER_FENCE
            is_sole = served and not names_concrete_model(request, self._rules)
            sole = plan.sole.public_id if plan.sole and is_sole else None
            raise Ended(Verdict.SKIPPED, reason, dropped=plan.selection.dropped, serve=sole)
        if prepared.engines.reason is not None:
            raise Ended(Verdict.SKIPPED, prepared.engines.reason)
        return Case(request, prepared, known, plan, prompt, incumbent)

    async def _route(self, case: Case, deadline: float | None) -> tuple[Outcome, Weighed]:
        """The outcome, and the answer that it rests on."""
        cached, slot = case.known.answer, case.known.slot
        if cached is not None and contains_answer(cached, case.plan.selection.eligible):
            again = replay(
                case.request,
                case.plan,
                cached,
                slot,
                rules=self._rules,
                conversation=case.conversation,
            )
            if again is not None:
                weighed = Weighed(cached, sticky=True, effort=slot.effort if slot else None)
                return replace(again, decision_id=self._new_id()), weighed
            if not (case.is_adaptive and is_probe(case.request.prompt)):
                return await self._settled(case, cached)
        turn, estimate = self._turn(case)
        incumbent = case.incumbent
        if incumbent is not None and (case.only_incumbent or turn.decides_nothing):
            stays = incumbent.stays(turn)
            return self._routed(case, stays), stays
        if turn.decides_nothing:
            raise Ended(Verdict.SKIPPED, turn.reason)
        asked = self._clock.monotonic()
        try:
            answer = await self._engine.decide(case.query(deadline, turn, estimate=estimate))
        except (EngineFailed, EnginesFailed) as error:
            waited = self._clock.monotonic() - asked
            raise Ended(
                Verdict.FAILED, Reason.ENGINES_FAILED, failures=error.failures, seconds=waited
            ) from None
        waited = 0.0 if answer.cached else self._clock.monotonic() - asked
        return await self._settled(case, answer, waited=waited)

    async def _classifies_remotely(self, request: RouteRequest) -> bool:
        """Whether the prompt may be sent to the engine that the policy file has classify."""
        engine = self._rules.classify_engine
        if engine is None:
            return False
        switches = await self._switches.current()
        return may_classify(engine, request, rules=self._rules, switches=switches)

    def _turn(self, case: Case) -> tuple[Turn, object | None]:
        """The turn, and the estimate of its reader; under stickiness `exact`, always a task."""
        stickiness = case.plan.tier.stickiness
        if stickiness is Stickiness.EXACT:
            return Turn.TASK, None
        prompt = case.prompt
        reading = None if prompt is None else self._reader.read(prompt)
        estimate = reading.estimate if reading else None
        turn = turn_of(case.request.prompt, reading)
        if stickiness is Stickiness.CONVERSATION and turn is not Turn.TASK:
            turn = Turn.UNDECIDED
        return turn, estimate

    async def _settled(
        self, case: Case, answer: EngineAnswer, *, waited: float = 0.0
    ) -> tuple[Outcome, Weighed]:
        """Weigh an answer against the conversation's current model, and cache the result."""
        weighed = settle(
            answer,
            request=case.request,
            plan=case.plan,
            slot=case.known.slot,
            incumbent=case.incumbent,
            loss=self._rules.local.quality_loss.get(case.plan.tier.policy, 0.0),
        )
        key = case.prepared.key
        if key is not None and weighed.answer is not answer and answer.difficulty != NEEDS_INFO:
            await self._memory.hold(key, weighed.answer)
        return self._routed(case, weighed, waited=waited), weighed

    def _routed(self, case: Case, weighed: Weighed, *, waited: float = 0.0) -> Outcome:
        return routed(
            case.request,
            case.plan,
            weighed.answer,
            rules=self._rules,
            conversation=case.conversation,
            sticky=weighed.sticky,
            switch=weighed.switch,
            decision_id=self._new_id(),
            engine_seconds=waited,
        )

    def _unrouted(self, request: RouteRequest, end: Ended) -> Outcome:
        return Outcome(
            verdict=end.verdict,
            serve_model=end.serve or request.static_pick or "",
            decision_id=self._new_id(),
            policy_version=self._rules.version,
            reason=end.reason,
            failures=end.failures,
            dropped=end.dropped,
            engine_seconds=end.seconds,
        )

    def _record(
        self, request: RouteRequest, outcome: Outcome, started: float, log_sampled: bool | None
    ) -> None:
        record = LazyDecisionRecord(
            request,
            outcome,
            rules=self._rules,
            keys=self._keys,
            time=self._clock.time(),
            total_seconds=self._clock.monotonic() - started,
            log_sampled=log_sampled,
        )
        for observer in self.observers:
            observer.on_decision(record)
