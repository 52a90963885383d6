"""OpenAI's Decisions: bodies and responses. Source: the types of PyPI `openai` 3.57.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman_server.decision_api import answers
from pointsman_server.decision_api.answers import PromptEstimate
from pointsman_server.decision_api.bodies import Body, Checker, Question, body_of
from pointsman_server.http_api.limits import Limits

QUESTIONS = 400
CHOICES = (2, 255)
LEVELS = (2, 255)
_KNOWN = {
    "predicate": ("type", "name", "instructions"),
    "choice": ("type", "name", "instructions", "choices"),
    "score": ("type", "name", "instructions", "levels"),
}
_OPTIONS = {"choice": ("choices", "value", CHOICES), "score": ("levels", "label", LEVELS)}
_BODY = (
    "model",
    "input",
    "questions",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
)


def read_body(raw: object, *, limits: Limits) -> Body:
    """Read a request; raises `InvalidRequest` that names every bad field."""
    checker = Checker(raw, limits=limits)
    model = checker.name("model", checker.raw.get("model"))
    text = checker.text("input", _latest(checker.raw.get("input")))
    checker.fields("body", checker.raw, _BODY)
    given = checker.raw.get("questions")
    questions: list[Question] = []
    if not isinstance(given, list):
        checker.bad("questions", "must be a list of questions")
    elif checker.count("questions", given, 1, QUESTIONS):
        questions = [_question(checker, at, value) for at, value in enumerate(given)]
    return body_of(checker, model=model, text=text, questions=questions)


def response(body: Body, estimate: PromptEstimate) -> dict[str, Any]:
    """Build the response; a question that cannot be answered is refused."""
    given = [_answer(question, estimate) for question in body.questions]
    return {
        "model": body.model,
        "answers": given,
        "usage": {
            "input_tokens": body.tokens,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
            "output_tokens": len(given),
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": body.tokens + len(given),
        },
    }


def _latest(given: object) -> object:
    """The text of the last user message, where `input` is a list of messages."""
    if not isinstance(given, list):
        return given
    users = [m for m in given if isinstance(m, Mapping) and m.get("role") == "user"]
    content = users[-1].get("content") if users else None
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _question(checker: Checker, at: int, given: object) -> Question:
    field = f"questions[{at}]"
    kind = given.get("type") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(kind, str) or kind not in _KNOWN:
        checker.bad(field, f"must be an object with a type of {', '.join(_KNOWN)}")
        return Question(name="", type="predicate")
    checker.fields(field, given, _KNOWN[kind])
    if not given.get("instructions"):
        checker.bad(f"{field}.instructions", "must be given")
    name = given.get("name")
    options: tuple[str, ...] = ()
    if kind in _OPTIONS:
        listed, key, (low, high) = _OPTIONS[kind]
        entries = given.get(listed)
        if not isinstance(entries, list):
            checker.bad(f"{field}.{listed}", "must be a list")
        elif checker.count(f"{field}.{listed}", entries, low, high):
            options = tuple(
                checker.name(f"{field}.{listed}[{i}].{key}", _entry(entry, key))
                for i, entry in enumerate(entries)
            )
    return Question(name=name if isinstance(name, str) else "", type=kind, options=options)


def _entry(entry: object, key: str) -> object:
    return entry.get(key) if isinstance(entry, Mapping) else None


def _answer(question: Question, estimate: PromptEstimate) -> dict[str, Any]:
    name = question.name or None
    refused = {"type": "refusal", "name": name}
    match question.type:
        case "predicate":
            chance = answers.yes_no(question.name, estimate)
            return (
                refused
                if chance is None
                else {"type": "predicate", "name": name, "probability": chance}
            )
        case "choice":
            chances = answers.choice(question.name, question.options, estimate)
            if chances is None:
                return refused
            pairs = list(zip(question.options, chances, strict=True))
            return {
                "type": "choice",
                "name": name,
                "choice": max(pairs, key=lambda pair: pair[1])[0],
                "confidence": answers.confidence(chances),
                "probabilities": [{"value": v, "probability": p} for v, p in pairs],
            }
        case _:
            chances = answers.scale(question.name, len(question.options), estimate)
            if chances is None:
                return refused
            levels = enumerate(zip(question.options, chances, strict=True))
            return {
                "type": "score",
                "name": name,
                "score": answers.expected(chances),
                "confidence": answers.confidence(chances),
                "probabilities": [
                    {"value": at, "label": label, "probability": p} for at, (label, p) in levels
                ],
            }
