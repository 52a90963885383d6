"""What a right answer is, so that a wrong one can be counted."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field

from chaos.parts.promises import broken_promises
from pointsman.v1 import route_decision_pb2 as pb
from support.served import FRONTIER, request

MORPH_ROUTER_ID, MORPH_MODEL = "gpt-5.5", "openai/gpt-5.5"
"""What Morph answers while it is well; engine `local` picks another model for the same prompt."""
STATIC_PICK = "anthropic/claude-opus-4.8"
KNOWN = 60
"""Conversations that begin before the fault and go on after it."""


def asking(session: str, **fields: object) -> pb.RouteDecisionRequest:
    """A frontier request of a conversation."""
    message: pb.RouteDecisionRequest = request(caller=pb.Caller(session_id=session), **fields)
    return message


@dataclass
class Judge:
    """Knows what each engine says and what each conversation was told first."""

    local_model: str
    told: dict[str, str] = field(default_factory=dict)
    decision_model: str = ""
    """What a decision model picks while it is well."""
    stages: Counter[str] = field(default_factory=Counter)
    """At which stages engines failed, in the words of the answers."""
    _prefix: str = field(default_factory=lambda: secrets.token_hex(4))
    """Rows that share a server share no conversation."""

    def session(self, name: int | str) -> str:
        """A conversation's id. By number: every other call goes on with a known conversation,
        the rest begin one every four calls.
        """
        if isinstance(name, int):
            name = f"known-{name % KNOWN}" if name % 2 else f"new-{name // 8}"
        return f"{self._prefix}-{name}"

    def __post_init__(self) -> None:
        assert self.local_model in set(FRONTIER) - {MORPH_MODEL}

    def wrong(self, answer: pb.RouteDecisionResponse, session: str) -> str | None:
        """What is wrong with an answer under a policy file with `mode: serve`.

        Right is: routed by Morph or by engine `local`, to the model that this engine picks, which
        is the one to serve; the same one as before; and all that the contract promises.
        """
        self.stages.update(f"{failure.engine} {failure.stage}" for failure in answer.failures)
        broken = broken_promises(asking(session), answer)
        if broken:
            return f"{session}: {broken[0]}"
        if answer.outcome != pb.OUTCOME_ROUTED:
            return f"{session}: outcome {pb.Outcome.Name(answer.outcome)}"
        decision = answer.decision
        picks = {
            pb.SOURCE_MORPH: MORPH_MODEL,
            pb.SOURCE_LOCAL: self.local_model,
            pb.SOURCE_DECISION_MODEL: self.decision_model,
        }
        if decision.model != picks[decision.source]:
            return f"{session}: {pb.Source.Name(decision.source)} picked {decision.model}"
        if answer.serve_model != decision.model or answer.shadow:
            return f"{session}: {decision.model} was decided, {answer.serve_model} served"
        first = self.told.setdefault(session, decision.model)
        return None if first == decision.model else f"{session}: {first} became {decision.model}"
