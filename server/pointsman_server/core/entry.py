"""What the cache holds: a decision as bytes, and back. A bad entry reads as no entry."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from pointsman_server.core.model import CatalogModel, EngineAnswer, RankedModel, Source

_VERSION = 1
_HEADS = (
    ("difficulty", "confidence"),
    ("ambiguity", "ambiguity_confidence"),
    ("domain", "domain_confidence"),
)


def dump(answer: EngineAnswer) -> bytes:
    """`answer` as compact JSON; scores keep four decimals."""
    record = {
        "v": _VERSION,
        "source": answer.source,
        "model": answer.model,
        "router_model": answer.router_model,
        "heads": [[getattr(answer, label), getattr(answer, sure)] for label, sure in _HEADS],
        "ranking": [[r.model, _short(r.score), r.estimated_cost] for r in answer.ranking],
        "explanation": answer.explanation,
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def load(raw: bytes) -> EngineAnswer | None:
    """The stored answer if it is whole, else `None`."""
    try:
        record = json.loads(raw)
        if record["v"] != _VERSION:
            return None
        return EngineAnswer(
            source=Source(record["source"]),
            model=_text(record["model"]),
            router_model=_text(record["router_model"]),
            ranking=tuple(_ranked(row) for row in record["ranking"]),
            explanation=_optional(_text, record["explanation"]),
            cached=True,
            **_heads(record["heads"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def holds(answer: EngineAnswer, candidates: Sequence[CatalogModel]) -> bool:
    """Whether a stored answer names one of this request's candidates."""
    return any(
        m.public_id == answer.model and m.router_id == answer.router_model for m in candidates
    )


def _heads(rows: list[list[Any]]) -> dict[str, Any]:
    heads: dict[str, Any] = {}
    for (label, sure), (text, number) in zip(_HEADS, rows, strict=True):
        heads[label] = _optional(_text, text)
        heads[sure] = _optional(_share, number)
    return heads


def _ranked(row: list[Any]) -> RankedModel:
    model, score, cost = row
    return RankedModel(
        model=_text(model),
        score=_optional(_number, score),
        estimated_cost=_optional(_number, cost),
    )


def _optional(read: Callable[[object], Any], value: object) -> Any:
    return None if value is None else read(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(value)
    value.encode()  # a lone surrogate could not be sent
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _share(value: object) -> float:
    number = _number(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(number)
    return number


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
