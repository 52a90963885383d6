"""The decision cases, by each way of asking, over a real socket, against a scripted Morph endpoint.

`tests/data/README.md` says what each key of a case means.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from pointsman_server.core.decision_record import effective_rate
from support.conformance.comparison import Found
from support.conformance.decisions import SUITE, DecisionServer
from support.details import detail
from support.morph import ScriptedMorph
from support.served import Starter
from support.ways import WAYS

EACH_WAY = [
    pytest.param(case, way, id=f"{case['name']}-{way}")
    for number, case in enumerate(SUITE["cases"])
    # Streams and batches share what is behind them with calls: each takes every other case.
    for way in ("unary", ("stream", "batch")[number % 2])
]


@pytest.mark.parametrize(("case", "way"), EACH_WAY)
async def test_case(case: dict[str, Any], way: str, start: Starter, tmp_path: Path) -> None:
    keys = tuple({step.get("key", "key-1") for step in case["steps"]} | {"key-1"})
    async with ScriptedMorph(keys=keys) as morph:
        server = DecisionServer(case, morph, tmp_path)
        peer = await server.open(start)
        for step in case["steps"]:
            armed = await server.arm(step)
            sent = [("authorization", armed.authorization)] if armed.authorization else None
            try:
                answer = await WAYS[way](peer.channel, armed.wire, timeout=30, metadata=sent)
                found = Found(answer=answer)
            except grpc.aio.AioRpcError as refused:
                found = refusal(refused)
            assert await server.check(step, found) == []


@pytest.mark.parametrize("row", [r for r in SUITE["sample_rates"] if "raw" in r])
def test_sample_rate(row: dict[str, Any]) -> None:
    assert effective_rate(row["raw"]) == row["rate"]


def refusal(refused: grpc.aio.AioRpcError) -> Found:
    status = refused.code().name
    bad = ()
    if status == "INVALID_ARGUMENT":
        violations = detail(refused, error_details_pb2.BadRequest).field_violations
        bad = tuple(violation.field for violation in violations)
    return Found(status=status, bad_fields=bad)
