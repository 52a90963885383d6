"""System One: bodies and responses. Source: PyPI `typesafe-sdk` 0.7.5, `_schemas/models.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_server.decision_api import answers
from pointsman_server.decision_api.answers import PromptEstimate
from pointsman_server.decision_api.bodies import Body, Checker, Question, body_of
from pointsman_server.http_api.limits import Limits

QUESTIONS = 64
OPTIONS = 26
LEVELS = 10
"""vLLM's bounds."""
_TYPES = ("noul", "choice", "score")
_SIDES = ("true", "false")


def read_body(raw: object, *, limits: Limits) -> Body:
    """Read a request; raises `InvalidRequest` that names every bad field."""
    checker = Checker(raw, limits=limits)
    model = checker.name("model", checker.raw.get("model"))
    text = checker.text("state", checker.raw.get("state"))
    checker.fields("body", checker.raw, ("model", "state", "questions"))
    given = checker.raw.get("questions")
    questions: list[Question] = []
    if not isinstance(given, Mapping):
        checker.bad("questions", "must be an object of questions by name")
    elif checker.count("questions", given, 1, QUESTIONS):
        questions = [_question(checker, name, value) for name, value in given.items()]
    return body_of(checker, model=model, text=text, questions=questions)


def response(body: Body, estimate: PromptEstimate) -> dict[str, Any]:
    """Build the response; a question that cannot be answered is missing."""
    found = {question.name: _answer(question, estimate) for question in body.questions}
    return {
        "model": body.model,
        "answers": {name: answer for name, answer in found.items() if answer is not None},
        "usage": {"input_tokens": body.tokens, "output_tokens": len(found)},
    }


def _question(checker: Checker, name: str, given: object) -> Question:
    field = f"questions.{name}"
    if not isinstance(given, Mapping) or given.get("type") not in _TYPES:
        checker.bad(field, f"must be an object with a type of {', '.join(_TYPES)}")
        return Question(name=name, type="noul")
    checker.fields(field, given, ("type", "instructions", "criteria"))
    kind, criteria = given["type"], given.get("criteria")
    options: tuple[str, ...] = ()
    if kind == "noul":
        if criteria is not None and not (
            isinstance(criteria, Mapping) and set(criteria) <= set(_SIDES)
        ):
            checker.bad(f"{field}.criteria", "must be null or an object of `true` and `false`")
    elif kind == "choice":
        if not isinstance(criteria, Mapping):
            checker.bad(f"{field}.criteria", "must be an object of options by name")
        elif checker.count(f"{field}.criteria", criteria, 1, OPTIONS):
            options = tuple(criteria)
    elif not isinstance(criteria, list):
        checker.bad(f"{field}.criteria", "must be a list of levels")
    elif checker.count(f"{field}.criteria", criteria, 1, LEVELS):
        options = tuple(map(str, criteria))
    return Question(name=name, type=kind, options=options)


def _answer(question: Question, estimate: PromptEstimate) -> dict[str, Any] | None:
    match question.type:
        case "noul":
            chance = answers.yes_no(question.name, estimate)
            return None if chance is None else {"type": "noul", "noul": chance}
        case "choice":
            chances = answers.choice(question.name, question.options, estimate)
            if chances is None:
                return None
            by_option = dict(zip(question.options, chances, strict=True))
            return {
                "type": "choice",
                "choice": max(by_option, key=by_option.__getitem__),
                "confidence": answers.confidence(chances),
                "probabilities": by_option,
            }
        case _:
            chances = answers.scale(question.name, len(question.options), estimate)
            if chances is None:
                return None
            return {
                "type": "score",
                "score": answers.expected(chances),
                "confidence": answers.confidence(chances),
                "legend": {str(at): text for at, text in enumerate(question.options)},
                "probabilities": {str(at): chance for at, chance in enumerate(chances)},
            }
