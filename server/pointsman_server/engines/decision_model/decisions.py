"""OpenAI's Decisions: `POST /v1/decisions`.

Request `{model, input, questions: [{type, name, instructions, ...}]}`; response
`{model, answers: [{type, name, ...}], usage}` in question order, in which any answer may be a
refusal. Source: the types `decision_create_params` and `decision` of PyPI `openai` 3.57.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pointsman_server.engines.decision_model.questions import Probabilities, Question, QuestionKind
from pointsman_server.engines.remote.json_answers import chance

PATH = "/v1/decisions"


def request(prompt: str, questions: Sequence[Question], *, model: str) -> dict[str, Any]:
    """Build the request's body."""
    return {
        "model": model,
        "input": prompt,
        "questions": [_question(question) for question in questions],
    }


def answers(record: object, questions: Sequence[Question]) -> dict[str, Probabilities] | None:
    """Read the response; `None` if an answer is missing, refused or not one to its question."""
    given = record.get("answers") if isinstance(record, dict) else None
    if not isinstance(given, list) or len(given) != len(questions):
        return None
    found: dict[str, Probabilities] = {}
    for question, answer in zip(questions, given, strict=True):
        probabilities = _answer(answer, question)
        if probabilities is None:
            return None
        found[question.name] = probabilities
    return found


_TYPES = {
    QuestionKind.SCALE: "score",
    QuestionKind.CHOICE: "choice",
    QuestionKind.YES_NO: "predicate",
}
_OPTION = {QuestionKind.SCALE: "label", QuestionKind.CHOICE: "value"}
_OPTIONS = {QuestionKind.SCALE: "levels", QuestionKind.CHOICE: "choices"}


def _question(question: Question) -> dict[str, Any]:
    record: dict[str, Any] = {
        "type": _TYPES[question.kind],
        "name": question.name,
        "instructions": question.instructions,
    }
    if question.kind is QuestionKind.YES_NO:
        # A predicate has no criteria.
        sides = " ".join(f"It is {label} if {text}." for label, text in question.options)
        return record | {"instructions": f"{question.instructions} {sides}"}
    name = _OPTION[question.kind]
    options = [
        {name: label, "description": text} if text else {name: label}
        for label, text in question.options
    ]
    return record | {_OPTIONS[question.kind]: options}


def _answer(given: object, question: Question) -> Probabilities | None:
    kind = _TYPES[question.kind]
    if not isinstance(given, dict) or given.get("type", kind) != kind:
        return None
    if given.get("name") not in (None, question.name):
        return None
    if question.kind is QuestionKind.YES_NO:
        found = chance(given.get("probability"))
        return None if found is None else (found,)
    probabilities = given.get("probabilities")
    if not isinstance(probabilities, list):
        return None
    return _in_order(probabilities, question.labels, key=_OPTION[question.kind])


def _in_order(given: list[Any], labels: tuple[str, ...], *, key: str) -> Probabilities | None:
    """Probabilities in the order of `labels`; `None` for an unknown or repeated option."""
    found: dict[str, float] = {}
    for entry in given:
        option = entry.get(key) if isinstance(entry, dict) else None
        share = chance(entry.get("probability")) if isinstance(entry, dict) else None
        if not isinstance(option, str) or option not in labels or option in found:
            return None
        if share is None:
            return None
        found[option] = share
    # An option that is left out has no probability; the sum shows whether that can be.
    return tuple(found.get(label, 0.0) for label in labels)
