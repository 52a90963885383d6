"""Reading Morph's answer: a bad optional head becomes absent and never discards a valid model."""

from __future__ import annotations

import json

from pointsman_server.core.model import EngineAnswer, EngineQuery, Source

_JSON = json.JSONDecoder(parse_int=float)
"""Built once: `json.loads` with an argument builds one for each call."""

DIFFICULTIES = frozenset({"easy", "medium", "hard", "needs_info"})
AMBIGUITIES = frozenset({"low", "med", "high"})
DOMAINS = frozenset({"general", "summary", "coding", "design", "data"})


def read_answer(body: bytes, query: EngineQuery) -> EngineAnswer | None:
    """The answer, if it is an object that names one of the request's candidates; else `None`."""
    try:
        # A number too long for an integer is out of range, not a reason to lose the model.
        record = _JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    model = record.get("model") if isinstance(record, dict) else None
    candidate = query.by_router_id(model.strip()) if isinstance(model, str) else None
    if candidate is None or candidate.router_id is None:
        return None
    return EngineAnswer(
        source=Source.MORPH,
        model=candidate.public_id,
        router_model=candidate.router_id,
        difficulty=_label(record.get("difficulty"), DIFFICULTIES),
        confidence=_share(record.get("confidence")),
        ambiguity=_label(record.get("ambiguity"), AMBIGUITIES),
        ambiguity_confidence=_share(record.get("ambiguity_confidence")),
        domain=_label(record.get("domain"), DOMAINS),
        domain_confidence=_share(record.get("domain_confidence")),
    )


def _label(value: object, known: frozenset[str]) -> str | None:
    return value if isinstance(value, str) and value in known else None


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None
