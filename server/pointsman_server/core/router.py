"""Route one prepared request: repeat its cached answer, keep the conversation's model, or ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.case import Case, Ended
from pointsman_server.core.deadlines import answer_by
from pointsman_server.core.effort import NEEDS_INFO
from pointsman_server.core.errors import EngineFailed, EnginesFailed
from pointsman_server.core.incumbent import Stay, Weighed, incumbent_of
from pointsman_server.core.model import EngineAnswer, Outcome, Reason, RouteRequest, Verdict
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import Clock, ConversationMemory, DecisionEngine, TurnReader
from pointsman_server.core.preparation import Prepared, Recalled
from pointsman_server.core.replay import replay, routed
from pointsman_server.core.serving import is_served, names_concrete_model
from pointsman_server.core.stickiness import settle
from pointsman_server.core.turn import Turn, TurnReading, is_probe
from pointsman_server.core.weighing import nothing_moves, replayed

OFF_REASONS = frozenset({Reason.FLAG_OFF, Reason.MODE_OFF})
"""Reasons for which requests are left as they are."""


class Router:
    """Routes under one version of the policy file."""

    def __init__(
        self,
        *,
        rules: PolicyFile,
        planner: Planner,
        engine: DecisionEngine,
        memory: ConversationMemory,
        reader: TurnReader,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self.rules = rules
        self.planner = planner
        self.memory = memory
        self.clock = clock
        self.new_id = new_id
        self._engine = engine
        self._reader = reader

    async def route(
        self, request: RouteRequest, prepared: Prepared, known: Recalled, deadline: float | None
    ) -> tuple[Outcome, Weighed]:
        """The outcome, and the answer that it rests on. Raises `Ended` where nothing is decided."""
        case = self._case(request, prepared, known)
        cached = known.answer
        if cached is not None and contains_answer(cached, case.plan.selection.eligible):
            again = self._replayed(case, cached)
            if again is not None:
                return again
            if not (cached.unasked or (case.is_adaptive and is_probe(request.prompt))):
                return await self._settled(case, cached)
        reading = self._read(case)
        turn = case.turn(reading)
        stays = self._stays(case, turn, reading)
        if stays is not None:
            if stays.answer.unasked and prepared.key is not None:
                await self.memory.hold(prepared.key, stays.answer)
            return self._routed(case, stays), stays
        if turn.decides_nothing:
            raise Ended(Verdict.SKIPPED, turn.reason)
        return await self._asked(case, turn, reading, deadline)

    def _case(self, request: RouteRequest, prepared: Prepared, known: Recalled) -> Case:
        """The request's case: tier, conversation, candidates. Ends early if there is no choice."""
        plan, prompt, slot = prepared.plan, request.prompt.chosen(), known.slot
        reason = prepared.engines.reason
        if reason in OFF_REASONS:
            raise Ended(Verdict.OFF, reason)
        if plan is None:
            raise Ended(Verdict.SKIPPED, Reason.UNKNOWN_TIER)
        plan = self.planner.fenced(plan, request, slot, engines=prepared.engines.names)
        served = is_served(prepared.conversation, self.rules)
        incumbent = incumbent_of(request, slot, plan.selection.eligible, served=served)
        case = Case(request, prepared, known, plan, prompt, incumbent)
        if prompt is None and not case.may_stay:
            raise Ended(Verdict.SKIPPED, Reason.NO_PROMPT)
        if plan.default is None:
            few = Reason.INSUFFICIENT_CANDIDATES
            few = Reason.PROVIDER_FENCE if plan.fenced_out else few
            is_sole = served and not names_concrete_model(request, self.rules)
            sole = plan.sole.public_id if plan.sole and is_sole else None
            raise Ended(Verdict.SKIPPED, few, dropped=plan.selection.dropped, serve=sole)
        if reason is not None and not case.may_stay:
            raise Ended(Verdict.SKIPPED, reason)
        return case

    def _replayed(self, case: Case, cached: EngineAnswer) -> tuple[Outcome, Weighed] | None:
        slot = case.known.slot
        again = replay(
            case.request,
            case.plan,
            cached,
            slot,
            rules=self.rules,
            conversation=case.conversation,
        )
        if again is None or slot is None:
            return None
        weighed = Weighed(cached, sticky=True, effort=slot.effort, compared=slot.compared)
        return replace(again, decision_id=self.new_id()), weighed

    def _read(self, case: Case) -> TurnReading | None:
        """The reading of the latest prompt; `None` without text, or where every turn is a task."""
        if case.prompt is None or not case.reads_turns:
            return None
        return self._reader.read(case.prompt)

    def _stays(self, case: Case, turn: Turn, reading: TurnReading | None) -> Weighed | None:
        """The conversation's model, where it stays there whatever an engine would answer."""
        incumbent = case.incumbent
        if incumbent is None:
            return None
        if case.only_incumbent:
            return incumbent.stays(Stay.ALONE)
        if turn.decides_nothing:
            return incumbent.stays(Stay.AMBIGUOUS if turn is Turn.AMBIGUOUS else Stay.NO_TASK)
        names = case.prepared.engines.names
        if not names:
            return incumbent.stays(Stay.NOBODY_TO_ASK)
        if not (case.is_adaptive and self.rules.is_third_party(names[0])):
            return None
        why = nothing_moves(
            incumbent,
            request=case.request,
            candidates=case.plan.selection.eligible,
            rules=case.plan.tier.switching,
        )
        effort = reading.effort if reading else None
        return incumbent.unasked(why, effort=effort) if why else None

    async def _asked(
        self, case: Case, turn: Turn, reading: TurnReading | None, deadline: float | None
    ) -> tuple[Outcome, Weighed]:
        """The engines' answer, weighed; where all fail, the conversation's model."""
        asked = self.clock.monotonic()
        estimate = reading.estimate if reading else None
        try:
            until = answer_by(deadline, now=asked)
            answer = await self._engine.decide(case.query(until, turn, estimate=estimate))
        except (EngineFailed, EnginesFailed) as error:
            waited = self.clock.monotonic() - asked
            if case.is_adaptive and case.incumbent is not None:
                stays = case.incumbent.stays(Stay.ENGINES_FAILED, failures=error.failures)
                return self._routed(case, stays, waited=waited), stays
            raise Ended(
                Verdict.FAILED, Reason.ENGINES_FAILED, failures=error.failures, seconds=waited
            ) from None
        waited = 0.0 if answer.cached else self.clock.monotonic() - asked
        return await self._settled(case, answer, waited=waited)

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
            loss=self.rules.local.quality_loss.get(case.plan.tier.policy, 0.0),
        )
        key = case.prepared.key
        # A tool loop would keep an outage's answer for as long as it repeats it.
        lapses = answer.difficulty == NEEDS_INFO or (answer.stand_in and answer.cached)
        if key is not None and weighed.answer is not answer and not lapses:
            await self.memory.hold(key, replayed(weighed))
        return self._routed(case, weighed, waited=waited), weighed

    def _routed(self, case: Case, weighed: Weighed, *, waited: float = 0.0) -> Outcome:
        return routed(
            case.request,
            case.plan,
            weighed.answer,
            rules=self.rules,
            conversation=case.conversation,
            sticky=weighed.sticky,
            switch=weighed.switch,
            decision_id=self.new_id(),
            engine_seconds=waited,
        )
