"""Answers of a decision model to a request, in the request's format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CERTAIN = {"needs_info": 0.05, "turn": 0.05}
DOMAINS = ("general", "summary", "coding", "design", "data")


def answered(
    request: dict[str, Any],
    *,
    effort: Sequence[float] = (0.05, 0.1, 0.7, 0.1, 0.05),
    domain: Sequence[float] = (0.1, 0.1, 0.6, 0.1, 0.1),
    needs_info: float = CERTAIN["needs_info"],
    turn: float = CERTAIN["turn"],
) -> dict[str, Any]:
    """The response to `request` with these probabilities, whichever order it asks in."""
    given: dict[str, Any] = {
        "effort": tuple(effort),
        "effort_reversed": tuple(effort)[::-1],
        "domain": dict(zip(DOMAINS, domain, strict=True)),
        "needs_info": needs_info,
        "turn": turn,
    }
    given["domain_reversed"] = given["domain"]
    return BY_FORMAT["decisions" if "input" in request else "systemone"](request, given)


def _systemone(request: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for name, question in request["questions"].items():
        match question["type"]:
            case "noul":
                answers[name] = {"type": "noul", "noul": given[name]}
            case "choice":
                answers[name] = {
                    "type": "choice",
                    "choice": max(given[name], key=given[name].get),
                    "confidence": 0.5,
                    "probabilities": {key: given[name][key] for key in question["criteria"]},
                }
            case "score":
                levels = enumerate(given[name])
                answers[name] = {
                    "type": "score",
                    "score": sum(at * p for at, p in levels),
                    "confidence": 0.5,
                    "legend": {str(at): text for at, text in enumerate(question["criteria"])},
                    "probabilities": {str(at): p for at, p in enumerate(given[name])},
                }
    usage = {"input_tokens": 100, "output_tokens": 4}
    return {"model": request["model"], "answers": answers, "usage": usage}


def _decisions(request: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    for question in request["questions"]:
        name = question["name"]
        answer: dict[str, Any] = {"type": question["type"], "name": name}
        match question["type"]:
            case "predicate":
                answer["probability"] = given[name]
            case "choice":
                values = [choice["value"] for choice in question["choices"]]
                answer |= {
                    "choice": max(values, key=given[name].__getitem__),
                    "confidence": 0.5,
                    "probabilities": [
                        {"value": value, "probability": given[name][value]} for value in values
                    ],
                }
            case "score":
                labels = [level["label"] for level in question["levels"]]
                answer |= {
                    "score": sum(at * p for at, p in enumerate(given[name])),
                    "confidence": 0.5,
                    "probabilities": [
                        {"value": at, "label": label, "probability": p}
                        for at, (label, p) in enumerate(zip(labels, given[name], strict=True))
                    ],
                }
        answers.append(answer)
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 104,
    }
    return {"model": request["model"], "answers": answers, "usage": usage}


BY_FORMAT = {"systemone": _systemone, "decisions": _decisions}
