"""A decision model's codec: one request with all questions, and the decision that follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from pointsman_server.core.engine_rules import DecisionFormat, DecisionModelRules
from pointsman_server.core.model import Classification, EngineAnswer, EngineQuery, Source
from pointsman_server.engines.decision_model import decisions, systemone
from pointsman_server.engines.decision_model.questions import (
    Probabilities,
    Question,
    build_questions,
    estimate_of,
)
from pointsman_server.engines.local.engine import LocalEngine, answer_of, classification_of
from pointsman_server.engines.local.readers import RequestEstimate
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

    The prompt is all of a query that leaves the process. `rule` decides by the estimate as it does
    by its reader's. `name` is the engine's, for explanations.
    """

    def __init__(self, name: str, rules: DecisionModelRules, *, rule: LocalEngine) -> None:
        self._name = name
        self._format = _FORMATS[rules.format]
        self._model = rules.model
        self._questions = build_questions(rules)
        self._rule = rule

    def encode(self, query: EngineQuery) -> bytes:
        """Return the request's body."""
        return self.encode_prompt(query.prompt)

    def encode_prompt(self, prompt: str) -> bytes:
        """Return the request's body for a prompt alone."""
        return json.dumps(self._format.request(prompt, self._questions, model=self._model)).encode()

    def decode(self, body: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Return the decision; `None` if `body` does not answer all questions."""
        estimate = self._estimate(body)
        if estimate is None:
            return None
        judgement = self._rule.judge(query, estimate=estimate)
        answer = answer_of(judgement, source=Source.DECISION_MODEL)
        return replace(answer, explanation=f"{self._name}: {judgement.explanation}")

    def classification(self, body: bytes) -> Classification | None:
        """Return the labels; `None` if `body` does not answer all questions."""
        estimate = self._estimate(body)
        return None if estimate is None else classification_of(self._rule.label(estimate))

    def _estimate(self, body: bytes) -> RequestEstimate | None:
        answers = self._format.answers(decode_json(body), self._questions)
        return None if answers is None else estimate_of(answers)
