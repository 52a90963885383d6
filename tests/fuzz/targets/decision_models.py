"""All bodies that a decision model may answer with: one of the candidates, or no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from pointsman_server.core.engine_rules import DecisionFormat
from support.builders import query
from support.decision_answers import answered
from support.remote import decision_model_codec, decision_model_rules

from fuzz.targets.target import Reader, Target

CODECS = [
    decision_model_codec(decision_model_rules(format=wire, average_orders=both))
    for wire in DecisionFormat
    for both in (False, True)
]


@contextmanager
def opened() -> Iterator[Reader]:
    """Both formats, in one order of the options and in both."""
    asked = query()

    def read(data: bytes) -> None:
        for codec in CODECS:
            answer = codec.decode(data, asked)
            if answer is None:
                continue
            assert answer.model in {candidate.public_id for candidate in asked.candidates}
            assert answer.effort is not None
            assert 1 <= answer.effort <= 5
            shares = (answer.confidence, answer.ambiguity_confidence, answer.domain_confidence)
            assert all(share is not None and 0 <= share <= 1 for share in shares)

    yield read


def seeds() -> Iterator[bytes]:
    for codec in CODECS:
        request = json.loads(codec.encode_prompt("Hi"))
        yield json.dumps(answered(request)).encode()
        yield json.dumps(answered(request, effort=(1, 0, 0, 0, 0), needs_info=1.0)).encode()
        yield json.dumps(answered(request, effort=(0.2,) * 5, turn=1e-300)).encode()
    yield b'{"answers": {"effort": {"type": "score", "probabilities": {"0": NaN}}}}'
    yield b'{"answers": [{"type": "refusal", "name": "effort"}]}'
    yield b"null"


TARGET = Target(opened=opened, seeds=seeds, mutations=100)
