"""One decision, in the order of the design: the ladder that every request climbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pointsman_server.core.case import Ended
from pointsman_server.core.decision_record import LazyDecisionRecord
from pointsman_server.core.eligible_engines import EligibleEngines, eligible_engines, may_classify
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Mode,
    Outcome,
    Reason,
    RouteRequest,
    Verdict,
)
from pointsman_server.core.ports import ClassificationLeg, DecisionObserver, Switches
from pointsman_server.core.preparation import Prepared, Recalled
from pointsman_server.core.replay import slot_after
from pointsman_server.core.router import OFF_REASONS, Router

_MODE_OFF = EligibleEngines((), Reason.MODE_OFF)
_NOTHING = Recalled(None, None)


class Decider:
    """Decides under one version of the policy file."""

    def __init__(
        self,
        *,
        router: Router,
        switches: Switches,
        classification: ClassificationLeg,
        keys: Keys,
        observers: Sequence[DecisionObserver] = (),
    ) -> None:
        self._router = router
        self._rules = router.rules
        self._memory = router.memory
        self._clock = router.clock
        self._switches = switches
        self.classification = classification
        self._keys = keys
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
            outcome, weighed = await self._router.route(request, prepared, known, deadline)
        except Ended as end:
            outcome = self._unrouted(request, end)
        if not request.dry_run:
            after = slot_after(known.slot, outcome, rules=self._rules, weighed=weighed)
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
        if engines.reason not in OFF_REASONS:
            plan = self._router.planner.plan(routing, request.constraints, engines.names)
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

    async def _classifies_remotely(self, request: RouteRequest) -> bool:
        """Whether the prompt may be sent to the engine that the policy file has classify."""
        engine = self._rules.classify_engine
        if engine is None:
            return False
        switches = await self._switches.current()
        return may_classify(engine, request, rules=self._rules, switches=switches)

    def _unrouted(self, request: RouteRequest, end: Ended) -> Outcome:
        return Outcome(
            verdict=end.verdict,
            serve_model=end.serve or request.static_pick or "",
            decision_id=self._router.new_id(),
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
