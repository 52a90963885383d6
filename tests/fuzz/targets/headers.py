"""Headers of a call: those of a trace are taken or left, a token is known or not."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator

from opentelemetry import trace
from pointsman_client import in_trace_of
from pointsman_server.telemetry.tracing.provider import build_propagator
from pointsman_server.transport.security.bearer_auth import BearerAuthentication, token_hash
from support.fakes import RecordingMeter

from fuzz.targets.target import Target, plain

PROPAGATORS = [
    build_propagator(names) for names in (("tracecontext",), ("tracecontext", "baggage"))
]
TOKENS = {token_hash("token"): "gateway"}
METER = RecordingMeter()
AUTHENTICATION = BearerAuthentication(lambda: TOKENS, meter=METER)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def read(data: bytes) -> None:
    # As gRPC gives them: text, of whatever the bytes were.
    pairs = [line.partition(": ")[::2] for line in data.decode("latin-1").split("\n")]
    headers = dict(pairs)
    for propagator in PROPAGATORS:
        context = propagator.extract(headers)
        span = trace.get_current_span(context).get_span_context()
        assert span.is_valid or span == trace.INVALID_SPAN_CONTEXT
        propagator.inject({}, context)
    with in_trace_of(headers):
        pass
    presented = next((value for key, value in pairs if key == "authorization"), "")
    admitted = contextvars.copy_context().run(AUTHENTICATION.admit, presented, None)
    # Ten million recorded refusals are a gigabyte.
    METER.calls.clear()
    assert not admitted or presented[7:].strip() == "token"


def seeds() -> Iterator[bytes]:
    yield f"traceparent: 00-{TRACE_ID}-00f067aa0ba902b7-01\ntracestate: a=b,c=d".encode()
    yield f"traceparent: ff-{TRACE_ID}-00f067aa0ba902b7-01-x\nbaggage: a=b;c,d=%20".encode()
    yield b"authorization: Bearer token"
    yield b"authorization: bearer  \xff"


TARGET = Target(opened=plain(read), seeds=seeds, longest=1_024)
