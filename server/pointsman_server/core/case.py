"""One request on the ladder: its candidates, or the reason for an early end."""

from __future__ import annotations

from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.incumbent import Incumbent
from pointsman_server.core.model import (
    Dropped,
    EngineFailure,
    EngineQuery,
    Reason,
    Retention,
    RouteRequest,
    Stickiness,
    Verdict,
)
from pointsman_server.core.preparation import Prepared, Recalled
from pointsman_server.core.replay import Conversation
from pointsman_server.core.turn import Turn, TurnReading, turn_of
from pointsman_server.core.value import value


class Ended(Exception):
    """The ladder ends early: there is no decision."""

    def __init__(
        self,
        verdict: Verdict,
        reason: Reason | None,
        *,
        dropped: tuple[Dropped, ...] = (),
        serve: str | None = None,
        failures: tuple[EngineFailure, ...] = (),
        seconds: float = 0.0,
    ) -> None:
        self.verdict = verdict
        self.reason = reason
        self.dropped = dropped
        self.serve = serve
        """The model that is served instead of the static pick."""
        self.failures = failures
        self.seconds = seconds
        super().__init__(verdict, reason)


@value()
class Case:
    """A request that is worth an engine's time."""

    request: RouteRequest
    prepared: Prepared
    known: Recalled
    plan: Plan
    """Behind the provider fence, where there is one."""
    prompt: str | None
    """`None` without text, if the conversation stays on its model."""
    incumbent: Incumbent | None

    @property
    def conversation(self) -> Conversation:
        """The conversation's key and source."""
        return Conversation(key=self.prepared.conversation, source=self.prepared.source)

    @property
    def is_adaptive(self) -> bool:
        """Whether answers are weighed against the incumbent."""
        return self.plan.tier.stickiness is Stickiness.ADAPTIVE

    @property
    def may_stay(self) -> bool:
        """Whether the conversation has a model to stay on."""
        return self.is_adaptive and self.incumbent is not None

    @property
    def reads_turns(self) -> bool:
        """Whether the reading of a turn changes anything; under `exact`, every turn is a task."""
        return self.plan.tier.stickiness is not Stickiness.EXACT

    def turn(self, reading: TurnReading | None) -> Turn:
        """The kind of the turn, by its reading."""
        if not self.reads_turns:
            return Turn.TASK
        turn = turn_of(self.request.prompt, reading)
        if turn is not Turn.TASK and not self.is_adaptive:
            return Turn.UNDECIDED
        return turn

    @property
    def only_incumbent(self) -> bool:
        """Whether a fence leaves nothing but the model that was decided for last."""
        decided = self.incumbent is not None and self.incumbent.is_decided
        return decided and len(self.plan.selection.eligible) == 1

    def query(
        self, deadline: float | None, turn: Turn, *, estimate: object | None = None
    ) -> EngineQuery:
        """The query for the engines."""
        plan = self.plan
        retention = Retention.TASKS_ONLY if self.is_adaptive else Retention.FULL
        return EngineQuery(
            prompt=self.prompt or "",
            candidates=plan.selection.eligible,
            policy=plan.tier.policy,
            default=plan.default or plan.selection.eligible[0],
            engines=self.prepared.engines.names,
            deadline=deadline,
            key=self.prepared.key,
            retention=Retention.BRIEF if turn is Turn.UNDECIDED else retention,
            estimate=estimate,
        )
