"""How many calls may be open at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from opentelemetry.trace import NoOpTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman_server.transport.admission import AdmissionHandler
from pointsman_server.transport.call import CallRunner
from pointsman_server.transport.concurrency import ConcurrencyLimiter
from support.fakes import FakeClock, RecordingMeter, settle
from support.sdk_spans import SdkSpans

METHOD = "/pointsman.v1.RoutingService/RouteDecision"
HANDLER = object()


class Services:
    def service(self, call):
        return HANDLER if call.method == METHOD else None


class Context:
    def invocation_metadata(self):
        return ()

    async def abort(self, code, text, trailing_metadata):
        raise PermissionError(code, dict(trailing_metadata)["grpc-status-details-bin"])


def entrance(limit):
    meter = RecordingMeter()
    rpc = CallRunner(
        gate=ConcurrencyLimiter(limit=9, meter=meter),
        spans=SdkSpans(NoOpTracer()),
        propagator=TraceContextTextMapPropagator(),
        clock=FakeClock(),
        meter=meter,
        caller=lambda _context: "edge",
    )
    return AdmissionHandler(Services(), limit=limit, rpc=rpc), meter


async def opened(at, method=METHOD, *, until):
    """A call as gRPC runs it: a task that asks for its handler, and lasts."""
    handler = at.service(SimpleNamespace(method=method))
    await until.wait()
    return handler


@pytest.mark.parametrize("ending", ["done", "cancelled"])
async def test_calls_are_let_in_up_to_the_limit_and_again_when_one_has_ended(ending):
    at, _ = entrance(limit=2)
    until = asyncio.Event()
    calls = [asyncio.create_task(opened(at, until=until)) for _ in range(2)]
    await settle()
    assert at.service(SimpleNamespace(method=METHOD)) is not HANDLER
    if ending == "done":
        until.set()
    else:
        calls[0].cancel()
    await settle()
    until.set()
    assert await asyncio.create_task(opened(at, until=until)) is HANDLER


async def test_a_call_over_the_limit_is_refused_unread_with_a_time_to_come_back_and_counted():
    at, meter = entrance(limit=0)
    refusal = at.service(SimpleNamespace(method=METHOD))
    assert refusal.request_streaming
    with pytest.raises(PermissionError) as refused:
        await refusal.stream_stream(None, Context())
    code, status = refused.value.args
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details.RetryInfo.DESCRIPTOR.full_name.encode() in status
    assert meter.refused == 1
    assert meter.calls == [
        ("pointsman.v1.RoutingService/RouteDecision", "edge", "RESOURCE_EXHAUSTED")
    ]


async def test_what_is_not_served_is_nobodys_and_takes_no_place():
    at, meter = entrance(limit=1)
    until = asyncio.Event()
    stranger = asyncio.create_task(opened(at, "/canary/Canary", until=until))
    await settle()
    until.set()
    assert await stranger is None
    assert await asyncio.create_task(opened(at, until=until)) is HANDLER
    assert meter.refused == 0
