"""Trace headers that are not valid: the call is answered, and no log line quotes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import grpc
import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman_server.telemetry.service_log.formatters import configure_logging
from support.served import Starter, request
from support.ways import SERVICE, WAYS

CANARY = "canary01zq"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {
    "state is no list": {"traceparent": PARENT, "tracestate": f"alice@example.com {CANARY}"},
    "state has a bad key": {"traceparent": PARENT, "tracestate": f"{CANARY.upper()}=1"},
    "state has a bad value": {"traceparent": PARENT, "tracestate": f"a={CANARY}=="},
    "state repeats a key": {"traceparent": PARENT, "tracestate": f"{CANARY}=1,{CANARY}=2"},
    "state has too many": {
        "traceparent": PARENT,
        "tracestate": ",".join(f"{CANARY}{n}=1" for n in range(40)),
    },
    "state is long": {"traceparent": PARENT, "tracestate": f"a={CANARY * 100}"},
    "parent is no parent": {"traceparent": CANARY, "tracestate": "a=1"},
    "parent is long": {"traceparent": PARENT + CANARY * 50, "tracestate": "a=1"},
    "parent has another version": {"traceparent": f"ff{PARENT[2:]}", "tracestate": CANARY},
    "state alone": {"tracestate": f"{CANARY} {CANARY}"},
    "baggage": {"baggage": f"{CANARY} {CANARY};;==", "traceparent": PARENT},
}


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    undo = configure_logging("debug", "json", stream=stream)
    yield stream
    undo()


def lines(log: StringIO) -> list[str]:
    found = log.getvalue().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in found)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("propagators", ["tracecontext", "tracecontext,baggage"])
async def test_no_trace_header_of_a_caller_is_logged(
    start: Starter, log: StringIO, way: str, propagators: str
) -> None:
    peer = await start(
        environment={"OTEL_TRACES_EXPORTER": "console", "OTEL_PROPAGATORS": propagators}
    )
    wire = request().SerializeToString()
    for headers in HEADERS.values():
        metadata = tuple(headers.items())
        answer = await WAYS[way](peer.channel, wire, timeout=10, metadata=metadata)
        assert answer.outcome == pb.OUTCOME_ROUTED
    await peer.stop()
    assert lines(log)
    assert CANARY not in log.getvalue().lower()
    assert "alice" not in log.getvalue()


async def test_no_trace_of_a_stream_s_message_is_logged(start: Starter, log: StringIO) -> None:
    peer = await start(environment={"OTEL_TRACES_EXPORTER": "console"})
    opened = peer.channel.stream_stream(
        f"{SERVICE}/StreamRouteDecisions",
        request_serializer=stream_pb.StreamRouteDecisionsRequest.SerializeToString,
        response_deserializer=stream_pb.StreamRouteDecisionsResponse.FromString,
    )()
    controls = {"traceparent": PARENT, "tracestate": f"a=\t\n{CANARY}"}
    for headers in (*HEADERS.values(), controls):
        fields = {name: text for name, text in headers.items() if name != "baggage"}
        await opened.write(
            stream_pb.StreamRouteDecisionsRequest(correlation_id="one", request=request(), **fields)
        )
        answer = await opened.read()
        assert answer is not grpc.aio.EOF
        assert answer.response.outcome == pb.OUTCOME_ROUTED
    await opened.done_writing()
    await peer.stop()
    assert CANARY not in log.getvalue().lower()


async def test_the_log_says_that_a_message_is_left_out(start: Starter, log: StringIO) -> None:
    peer = await start(environment={"OTEL_TRACES_EXPORTER": "console"})
    metadata = tuple(HEADERS["state has a bad key"].items())
    await peer.decide(request(), metadata=metadata)
    await peer.stop()
    assert "opentelemetry.trace.span: a message is left out that may quote a caller" in (
        log.getvalue()
    )
    assert logging.getLogger("opentelemetry").propagate
