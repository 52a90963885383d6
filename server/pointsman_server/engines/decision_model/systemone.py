"""TypeSafe's System One: `POST /v1/systemone`.

Request `{model, state, questions: {name: {type, instructions, criteria}}}`; response
`{model, answers: {name: {type, ...}}, usage}`, in which an unanswered question may be missing.
Sources: the OpenAPI models in PyPI `typesafe-sdk` 0.7.5, vLLM's `structured_decisions.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pointsman_server.engines.decision_model.questions import Probabilities, Question, QuestionKind
from pointsman_server.engines.remote.json_answers import chance

PATH = "/v1/systemone"


def request(prompt: str, questions: Sequence[Question], *, model: str) -> dict[str, Any]:
    """Build the request's body."""
    return {
        "model": model,
        "state": prompt,
        "questions": {question.name: _question(question) for question in questions},
    }


def answers(record: object, questions: Sequence[Question]) -> dict[str, Probabilities] | None:
    """Read the response; `None` if an answer is missing or not one to its question."""
    given = record.get("answers") if isinstance(record, dict) else None
    if not isinstance(given, dict):
        return None
    read = {question.name: _answer(given.get(question.name), question) for question in questions}
    found = {name: probabilities for name, probabilities in read.items() if probabilities}
    return found if len(found) == len(read) else None


_TYPES = {QuestionKind.SCALE: "score", QuestionKind.CHOICE: "choice", QuestionKind.YES_NO: "noul"}


def _question(question: Question) -> dict[str, Any]:
    criteria: dict[str, str] | list[str] = dict(question.options)
    if question.kind is QuestionKind.SCALE:
        criteria = [f"{label}: {text}" if text else label for label, text in question.options]
    return {
        "type": _TYPES[question.kind],
        "instructions": question.instructions,
        "criteria": criteria,
    }


def _answer(given: object, question: Question) -> Probabilities | None:
    kind = _TYPES[question.kind]
    if not isinstance(given, dict) or given.get("type", kind) != kind:
        return None
    if question.kind is QuestionKind.YES_NO:
        found = chance(given.get("noul"))
        return None if found is None else (found,)
    probabilities = given.get("probabilities")
    if not isinstance(probabilities, dict):
        return None
    keys = question.labels
    if question.kind is QuestionKind.SCALE:
        keys = tuple(str(position) for position in range(len(keys)))
    if not probabilities.keys() <= set(keys):
        return None
    # An option that is left out has no probability; the sum shows whether that can be.
    given_shares = [chance(probabilities.get(key, 0.0)) for key in keys]
    known = tuple(share for share in given_shares if share is not None)
    return known if len(known) == len(keys) else None
