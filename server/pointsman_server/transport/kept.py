"""Kept answers in the form in which they are sent: the fields of `Decision` that an engine fills.

A hit is answered by appending to these bytes, without building or encoding a decision again.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal, TypeAlias, get_args
from zlib import crc32

from google.protobuf.message import DecodeError
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.model import EngineAnswer, RankedModel, Source
from pointsman_server.core.record import KeptDetail

KeptField: TypeAlias = Literal[
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
]
KEPT_FIELDS: tuple[KeptField, ...] = get_args(KeptField)
"""What of a decision is its answer; the rest belongs to the request."""

SOURCES = {source: pb.Source.Value(f"SOURCE_{source.name}") for source in Source}
_BY_NUMBER = {number: source for source, number in SOURCES.items()}
SCORE_DECIMALS = 4
SEAL_BYTES = 4
SHAPE_BYTES = 8
_FORM = 1
"""Where the checksum starts: values of another form fail it."""


def seal(wire: bytes, *, shape: bytes = bytes(SHAPE_BYTES)) -> bytes:
    """`wire` behind its shape and a checksum: a message that was cut short may still be one.

    Answers of one shape differ in nothing that what is appended to them depends on, so that a
    hit needs no parsing.
    """
    kept = shape + wire
    return crc32(kept, _FORM).to_bytes(SEAL_BYTES, "big") + kept


def unseal(raw: bytes) -> tuple[bytes, bytes] | None:
    """Shape and message of what was sealed, if it is whole."""
    kept = raw[SEAL_BYTES:]
    if crc32(kept, _FORM) != int.from_bytes(raw[:SEAL_BYTES], "big"):
        return None
    wire = kept[SHAPE_BYTES:]
    return (kept[:SHAPE_BYTES], wire) if wire else None


def shape_of(answer: EngineAnswer) -> bytes:
    """A digest of all of `answer` but its scores, labels of no consequence and its words."""
    parts = (answer.source, answer.model, answer.router_model, answer.difficulty)
    return sha256(repr((*parts, [r.model for r in answer.ranking])).encode()).digest()[:SHAPE_BYTES]


def detail_of(wire: bytes) -> KeptDetail:
    """What the kept message `wire` has of its own, among those of its shape."""
    kept = pb.Decision.FromString(wire)
    return KeptDetail(
        confidence=kept.confidence if kept.HasField("confidence") else None,
        ambiguity=kept.ambiguity if kept.HasField("ambiguity") else None,
        domain=kept.domain if kept.HasField("domain") else None,
    )


class WireCodec:
    """`core.ports.AnswerCodec` in protobuf, sealed."""

    def __init__(self) -> None:
        self._last: tuple[EngineAnswer, bytes] | None = None

    def dump(self, answer: EngineAnswer) -> bytes:
        """`answer` as bytes; scores keep four decimals."""
        # A fresh answer is kept twice in a row: as the decision, and as its conversation's model.
        if self._last is None or self._last[0] is not answer:
            self._last = answer, self._dumped(answer)
        return self._last[1]

    @staticmethod
    def _dumped(answer: EngineAnswer) -> bytes:
        kept = pb.Decision(
            source=pb.Source.Name(SOURCES[answer.source]),
            model=answer.model,
            router_model=answer.router_model,
            difficulty=answer.difficulty,
            confidence=answer.confidence,
            ambiguity=answer.ambiguity,
            ambiguity_confidence=answer.ambiguity_confidence,
            domain=answer.domain,
            domain_confidence=answer.domain_confidence,
            ranking=[ranked(r) for r in answer.ranking],
            explanation=answer.explanation,
        )
        return seal(kept.SerializeToString(), shape=shape_of(answer))

    def load(self, raw: bytes) -> EngineAnswer | None:
        """The answer if `raw` is one as a whole, else `None`."""
        whole = unseal(raw)
        if whole is None:
            return None
        try:
            kept = pb.Decision.FromString(whole[1])
        except DecodeError:
            return None
        source = _BY_NUMBER.get(kept.source)
        if source is None or not kept.model or not kept.router_model:
            return None
        return EngineAnswer(
            source=source,
            model=kept.model,
            router_model=kept.router_model,
            difficulty=kept.difficulty if kept.HasField("difficulty") else None,
            confidence=kept.confidence if kept.HasField("confidence") else None,
            ambiguity=kept.ambiguity if kept.HasField("ambiguity") else None,
            ambiguity_confidence=(
                kept.ambiguity_confidence if kept.HasField("ambiguity_confidence") else None
            ),
            domain=kept.domain if kept.HasField("domain") else None,
            domain_confidence=(
                kept.domain_confidence if kept.HasField("domain_confidence") else None
            ),
            ranking=tuple(_read(r) for r in kept.ranking),
            explanation=kept.explanation if kept.HasField("explanation") else None,
            cached=True,
        )


def ranked(model: RankedModel) -> pb.RankedCandidate:
    """One candidate as an engine saw it."""
    score = None if model.score is None else round(model.score, SCORE_DECIMALS)
    return pb.RankedCandidate(model=model.model, score=score, estimated_cost=model.estimated_cost)


def _read(message: pb.RankedCandidate) -> RankedModel:
    return RankedModel(
        model=message.model,
        score=message.score if message.HasField("score") else None,
        estimated_cost=message.estimated_cost if message.HasField("estimated_cost") else None,
    )
