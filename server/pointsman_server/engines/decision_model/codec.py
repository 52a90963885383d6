"""A decision model's codec: one request with all questions, and the decision that follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from pointsman_server.core.engine_rules import DecisionFormat, DecisionModelRules
from pointsman_server.core.model import EngineAnswer, EngineQuery, Source
from pointsman_server.engines.decision_model import decisions, systemone
from pointsman_server.engines.decision_model.labels import NEEDS_INFO, labels_of
from pointsman_server.engines.decision_model.picking import ModelPicker
from pointsman_server.engines.decision_model.questions import (
    Judgement,
    Probabilities,
    Question,
    build_questions,
    judge,
)
from pointsman_server.engines.remote.json_answers import decode_json


class _Format(Protocol):
    """One wire format: a module."""

    PATH: str

    def request(self, prompt: str, questions: Sequence[Question], *, model: str) -> dict[str, Any]:
        """Build the request's body."""
        ...

    def answers(
        self, record: object, questions: Sequence[Question]
    ) -> dict[str, Probabilities] | None:
        """Read the response."""
        ...


_FORMATS: dict[DecisionFormat, _Format] = {
    DecisionFormat.SYSTEM_ONE: systemone,
    DecisionFormat.DECISIONS: decisions,
}


def path_of(rules: DecisionModelRules) -> str:
    """Give the path of the format's endpoint."""
    return _FORMATS[rules.format].PATH


class DecisionModelCodec:
    """Asks four questions about the prompt and decides by the answers: a `RemoteCodec`.

    The prompt is all of a query that leaves the process. `name` is the engine's, for explanations.
    """

    def __init__(
        self,
        name: str,
        rules: DecisionModelRules,
        *,
        picker: ModelPicker,
        needs_info_threshold: float,
    ) -> None:
        self._name = name
        self._format = _FORMATS[rules.format]
        self._model = rules.model
        self._questions = build_questions(rules)
        self._picker = picker
        self.needs_info_threshold = needs_info_threshold

    def encode(self, query: EngineQuery) -> bytes:
        """Return the request's body."""
        return self.encode_prompt(query.prompt)

    def encode_prompt(self, prompt: str) -> bytes:
        """Return the request's body for a prompt alone."""
        return json.dumps(self._format.request(prompt, self._questions, model=self._model)).encode()

    def judgement(self, body: bytes) -> Judgement | None:
        """Read the response; `None` if an answer is missing, refused or no distribution."""
        answers = self._format.answers(decode_json(body), self._questions)
        return None if answers is None else judge(answers)

    def decode(self, body: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Return the decision; `None` if `body` does not answer all questions."""
        judgement = self.judgement(body)
        if judgement is None:
            return None
        pick = self._picker.pick(query, judgement)
        if pick is None:
            return None
        labels = labels_of(judgement, needs_info_threshold=self.needs_info_threshold)
        model, reason = pick.model, pick.reason
        if labels.difficulty == NEEDS_INFO:
            model, reason = query.default, f"needs_info {labels.confidence:.2f}: default"
        return EngineAnswer(
            source=Source.DECISION_MODEL,
            model=model.public_id,
            router_model=model.router_id or model.public_id,
            difficulty=labels.difficulty,
            confidence=labels.confidence,
            ambiguity=labels.ambiguity,
            ambiguity_confidence=labels.ambiguity_confidence,
            domain=labels.domain,
            domain_confidence=labels.domain_confidence,
            ranking=pick.ranking,
            explanation=f"{self._name}: {reason}",
            effort=judgement.expected_effort,
        )
