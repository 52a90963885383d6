"""Cached answers in wire format: the fields of `Decision` that an engine fills.

A hit is answered by appending to these bytes, without building or encoding a decision again.
They follow `TEMPLATE_KEY_BYTES` bytes that select the response template: answers with the
same key have the same appended fields, so a hit needs no parsing.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import Any, Literal, TypeAlias, get_args

from google.protobuf.message import DecodeError, Message
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.decision_record import CachedDecisionDetail
from pointsman_server.core.model import EngineAnswer, RankedModel, Source

AnswerField: TypeAlias = Literal[
    "source",
    "model",
    "router_model",
    "difficulty",
    "confidence",
    "ambiguity",
    "ambiguity_confidence",
    "domain",
    "domain_confidence",
    "ranking",
    "explanation",
    "effort",
    "reasoning_effort",
]
ANSWER_FIELDS: tuple[AnswerField, ...] = get_args(AnswerField)
"""The fields of a decision that are its answer; the rest belongs to the request."""

SOURCES = {source: pb.Source.Value(f"SOURCE_{source.name}") for source in Source}
_BY_NUMBER = {number: source for source, number in SOURCES.items()}
SCORE_DECIMALS = 4
TEMPLATE_KEY_BYTES = 8
_HEAD = Struct(">BH")
"""Behind the template key: marks, and the pick's length."""
_STAND_IN, _UNASKED = 1, 2
_FIXED = TEMPLATE_KEY_BYTES + _HEAD.size


def template_key_of(answer: EngineAnswer) -> bytes:
    """A digest of all of `answer` but its scores, labels of no consequence and its words."""
    parts = (answer.source, answer.model, answer.router_model, answer.difficulty, answer.pick)
    return sha256(repr((*parts, [r.model for r in answer.ranking])).encode()).digest()[
        :TEMPLATE_KEY_BYTES
    ]


def answer_at(raw: bytes) -> int:
    """The offset of the answer's fields in the result of `WireCodec.dump`."""
    length: int = _HEAD.unpack_from(raw, TEMPLATE_KEY_BYTES)[1]
    return _FIXED + length


def detail_of(wire: bytes) -> CachedDecisionDetail:
    """The individual fields of the cached message `wire`, among those with its template."""
    try:
        kept = pb.Decision.FromString(wire)
    except DecodeError:
        return CachedDecisionDetail(None, None, None, None)
    return CachedDecisionDetail(
        confidence=_optional(kept, "confidence"),
        effort=_optional(kept, "effort"),
        ambiguity=_optional(kept, "ambiguity"),
        domain=_optional(kept, "domain"),
    )


class WireCodec:
    """`core.ports.AnswerCodec` in protobuf, behind the answer's shape."""

    @staticmethod
    def dump(answer: EngineAnswer) -> bytes:
        """`answer` as bytes; scores keep four decimals."""
        kept = pb.Decision(**answer_fields(answer))
        pick = (answer.pick or "").encode()
        head = _HEAD.pack(_STAND_IN * answer.stand_in | _UNASKED * answer.unasked, len(pick))
        return template_key_of(answer) + head + pick + kept.SerializeToString()

    @staticmethod
    def load(raw: bytes) -> EngineAnswer | None:
        """The answer if `raw` is one, else `None`; the cache guarantees its integrity."""
        if len(raw) < _FIXED:
            return None
        at = answer_at(raw)
        try:
            kept = pb.Decision.FromString(raw[at:])
            pick = raw[_FIXED:at].decode()
        except (DecodeError, UnicodeDecodeError):
            return None
        source = _BY_NUMBER.get(kept.source)
        if source is None or not kept.model or not kept.router_model:
            return None
        return EngineAnswer(
            source=source,
            model=kept.model,
            router_model=kept.router_model,
            difficulty=_optional(kept, "difficulty"),
            confidence=_optional(kept, "confidence"),
            ambiguity=_optional(kept, "ambiguity"),
            ambiguity_confidence=_optional(kept, "ambiguity_confidence"),
            domain=_optional(kept, "domain"),
            domain_confidence=_optional(kept, "domain_confidence"),
            ranking=tuple(_read(r) for r in kept.ranking),
            explanation=_optional(kept, "explanation"),
            effort=_optional(kept, "effort"),
            reasoning_effort=_optional(kept, "reasoning_effort"),
            cached=True,
            stand_in=bool(raw[TEMPLATE_KEY_BYTES] & _STAND_IN),
            unasked=bool(raw[TEMPLATE_KEY_BYTES] & _UNASKED),
            pick=pick or None,
        )


def answer_fields(answer: EngineAnswer) -> dict[str, Any]:
    """The fields of a decision that are its answer; scores keep four decimals."""
    return {
        "source": SOURCES[answer.source],
        "model": answer.model,
        "router_model": answer.router_model,
        "difficulty": answer.difficulty,
        "confidence": answer.confidence,
        "ambiguity": answer.ambiguity,
        "ambiguity_confidence": answer.ambiguity_confidence,
        "domain": answer.domain,
        "domain_confidence": answer.domain_confidence,
        "ranking": [_ranked(r) for r in answer.ranking],
        "explanation": answer.explanation,
        "effort": answer.effort,
        "reasoning_effort": answer.reasoning_effort,
    }


def _ranked(model: RankedModel) -> dict[str, object]:
    # Nested messages are passed as mappings: protobuf copies a message by encoding it.
    score = None if model.score is None else round(model.score, SCORE_DECIMALS)
    return {"model": model.model, "score": score, "estimated_cost": model.estimated_cost}


def _read(message: pb.RankedCandidate) -> RankedModel:
    return RankedModel(
        model=message.model,
        score=_optional(message, "score"),
        estimated_cost=_optional(message, "estimated_cost"),
    )


def _optional(message: Message, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None
