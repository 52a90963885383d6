"""The RPCs: decode, decide, encode; the decider is that of the moment."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.trace import NoOpTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman.v1 import describe_routing_pb2, route_decision_pb2
from pointsman_server.core.description import Description
from pointsman_server.transport.call import CallRunner
from pointsman_server.transport.concurrency import ConcurrencyLimiter
from pointsman_server.transport.servicer import LOOKS, RoutingServicer
from support.builders import OPUS, SONNET, outcome, rules
from support.fakes import FakeClock, RecordingMeter, settle
from support.sdk_spans import SdkSpans


class Decider:
    def __init__(self, given_outcome=None):
        self.outcome = given_outcome or outcome()
        self.asked = []

    async def decide(self, request, *, deadline=None, log_sampled=None, prepared=None):
        self.asked.append((request, deadline, log_sampled))
        return self.outcome


class CachedAnswers:
    """A fast path with one cached answer, or none."""

    def __init__(self, wire=None):
        self.wire = wire

    def answer(self, message, span=None):
        return self.wire


class Service:
    def __init__(self, decider, fast_path, *, log_sampled):
        self.decider = decider
        self.fast_path = fast_path
        self.resolver = None
        self._log_sampled = log_sampled

    def log_sampled(self):
        return self._log_sampled


class Context:
    def invocation_metadata(self):
        return ()

    def time_remaining(self):
        return 0.5

    async def abort(self, code, text, trailing_metadata):
        raise PermissionError(code.name, text)


def servicer(decider, *, fast_path=None, log_sampled=False, limit=9, held=None):
    async def describe():
        if held is not None:
            await held.wait()
        return Description(
            rules=rules(), engines=(), loaded_at=1.0, reload_problems=(), server_version="1.2.3"
        )

    rpc = CallRunner(
        gate=ConcurrencyLimiter(limit=limit, meter=RecordingMeter()),
        spans=SdkSpans(NoOpTracer()),
        propagator=TraceContextTextMapPropagator(),
        clock=FakeClock(now=10.0),
        meter=RecordingMeter(),
        caller=lambda _context: None,
    )
    return RoutingServicer(
        rpc=rpc,
        service=lambda: Service(decider(), fast_path or CachedAnswers(), log_sampled=log_sampled),
        describe=describe,
    )


async def decided(desk, message):
    wire = await desk.RouteDecision(message.SerializeToString(), Context())
    return route_decision_pb2.RouteDecisionResponse.FromString(wire)


def asked(user_id="u"):
    return route_decision_pb2.RouteDecisionRequest(
        prompt={"latest_user_prompt_prefix": "Fix it"}, caller={"user_id": user_id}
    )


async def test_a_request_is_decided_with_its_deadline_and_answered():
    decider = Decider()
    found = await decided(servicer(lambda: decider), asked())
    assert (found.serve_model, found.decision.model) == (SONNET, SONNET)
    ((request, deadline, log_sampled),) = decider.asked
    assert (request.prompt.latest, request.caller.user_id) == ("Fix it", "u")
    assert (deadline, log_sampled) == (10.5, False)


async def test_what_is_kept_is_sent_without_deciding():
    decider = Decider()
    kept = route_decision_pb2.RouteDecisionResponse(serve_model=OPUS).SerializeToString()
    found = await decided(servicer(lambda: decider, fast_path=CachedAnswers(kept)), asked())
    assert (found.serve_model, decider.asked) == (OPUS, [])


@pytest.mark.parametrize("log_sampled", [True])
async def test_a_call_that_the_log_drew_goes_the_long_way(log_sampled):
    decider = Decider()
    kept = route_decision_pb2.RouteDecisionResponse(serve_model=OPUS).SerializeToString()
    await decided(
        servicer(lambda: decider, fast_path=CachedAnswers(kept), log_sampled=log_sampled), asked()
    )
    assert [log_sampled for _, _, log_sampled in decider.asked] == [True]


@pytest.mark.parametrize("wire", [b"\xff", b"x" * 70_000])
async def test_bytes_that_are_no_request_are_refused(wire):
    with pytest.raises(PermissionError, match=r"INVALID_ARGUMENT.*request"):
        await servicer(Decider).RouteDecision(wire, Context())


async def test_a_bad_request_is_refused_before_anybody_decides():
    decider = Decider()
    with pytest.raises(PermissionError, match=r"INVALID_ARGUMENT.*caller\.user_id"):
        await decided(servicer(lambda: decider), asked(" "))
    assert decider.asked == []


async def test_each_call_is_decided_by_the_decider_of_the_moment():
    deciders = iter([Decider(), Decider(outcome(serve_model=OPUS))])
    desk = servicer(lambda: next(deciders))
    found = [(await decided(desk, asked())).serve_model for _ in range(2)]
    assert found == [SONNET, OPUS]


async def test_what_is_in_force_is_told():
    request = describe_routing_pb2.DescribeRoutingRequest()
    found = await servicer(Decider).DescribeRouting(request, Context())
    assert (found.policy_version, found.server_version) == ("v1", "1.2.3")


async def test_who_looks_is_let_in_while_everybody_else_is_refused_but_not_in_crowds():
    request, held = describe_routing_pb2.DescribeRoutingRequest(), asyncio.Event()
    desk = servicer(Decider, limit=0, held=held)
    with pytest.raises(PermissionError, match="RESOURCE_EXHAUSTED"):
        await decided(desk, asked())
    looks = [asyncio.create_task(desk.DescribeRouting(request, Context())) for _ in range(LOOKS)]
    await settle()
    with pytest.raises(PermissionError, match="RESOURCE_EXHAUSTED"):
        await desk.DescribeRouting(request, Context())
    held.set()
    assert {found.policy_version for found in await asyncio.gather(*looks)} == {"v1"}
    assert (await desk.DescribeRouting(request, Context())).policy_version == "v1"
