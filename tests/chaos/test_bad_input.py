"""Whatever is sent: an answer as the contract promises, or a refusal that names a field."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from chaos.parts.callers import DEADLINE, RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken
from chaos.parts.promises import (
    broken_batch,
    broken_promises,
    broken_refusal,
    broken_route,
    broken_stream,
)
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from chaos.parts.wild import METHODS, SERVICE, Sent, requests
from e2e.parts.pointsman import Service, pointsman_serve
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status
from hypothesis import HealthCheck, Phase, given, settings
from pointsman.v1 import (
    batch_route_decisions_pb2,
    describe_routing_pb2,
    resolve_route_pb2,
)
from pointsman.v1 import route_decision_pb2 as pb
from support.load import Phase as Figures

MOST_GROWTH = 64 * MB
LLM = {
    "profiles": {"small": {"provider": "openai", "model": "gpt-5.5"}},
    "routes": {"plan_create": "small", "main_loop": {"tier": "kilo-auto/frontier"}},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("bad-input")
    with pointsman_serve(folder, policy=policy(llm=LLM)) as running:
        yield running


class Asker:
    """Sends bytes, and holds what comes back against the contract."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.counts: Counter[str] = Counter()
        self.figures = Figures()

    def check(self, sent: Sent) -> None:
        """Raise `AssertionError` for whatever the contract does not allow."""
        method = METHODS[sent.method]
        try:
            answers = self._ask(sent)
        except grpc.RpcError as error:
            self.counts[f"{sent.method} {error.code().name}"] += 1
            _check_refusal(error)
        else:
            self.counts[f"{sent.method} OK"] += 1
            read = GetMessageClass(method.output_type).FromString
            broken = _broken(sent, [read(wire) for wire in answers])
            assert not broken, (broken, answers)

    def _ask(self, sent: Sent) -> list[bytes]:
        """All answers to one request; a stream carries it alone."""
        method = METHODS[sent.method]
        path = f"/{SERVICE.full_name}/{sent.method}"
        if method.client_streaming and method.server_streaming:
            return list(self.channel.stream_stream(path)(iter([sent.wire]), timeout=DEADLINE))
        if method.server_streaming:
            return list(self.channel.unary_stream(path)(sent.wire, timeout=DEADLINE))
        if method.client_streaming:
            return [self.channel.stream_unary(path)(iter([sent.wire]), timeout=DEADLINE)]
        return [self.channel.unary_unary(path)(sent.wire, timeout=DEADLINE)]


def _check_refusal(error: Any) -> None:
    """One of the contract's statuses, with its details: never INTERNAL, never a hang."""
    status = rpc_status.from_call(error)
    assert status is not None, (error.code(), error.details())
    assert not broken_refusal(status), (broken_refusal(status), status)


def _broken(sent: Sent, answers: list[Any]) -> list[str]:
    """What all answers to one request break."""
    request: Any = sent.message
    match answers:
        case [pb.RouteDecisionResponse() as answer]:
            return broken_promises(request, answer)
        case [resolve_route_pb2.ResolveRouteResponse() as answer]:
            return broken_route(request, answer)
        case [batch_route_decisions_pb2.BatchRouteDecisionsResponse() as answer]:
            return broken_batch(sent.wire, answer)
        case [describe_routing_pb2.DescribeRoutingResponse() as answer]:
            return [] if answer.policy_version else ["there is no policy_version"]
        case _:
            return broken_stream(request, answers)


def _fuzz(asker: Asker, examples: int) -> None:
    """Send so many requests; raise `AssertionError` with the smallest one that breaks a promise."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def ask(sent: Sent) -> None:
        began = time.perf_counter()
        asker.check(sent)
        asker.figures.seconds.append(time.perf_counter() - began)

    with asker.channel:
        ask()


async def test_bad_input_is_refused_by_field_or_answered(
    service: Service, ledger: Ledger, pace: Pace
) -> None:
    asker = Asker(service.address)
    before = Taken.by(service.program.child.pid)
    fault = acts(lambda: asyncio.to_thread(_fuzz, asker, pace.examples))
    # One other caller: the requests are made in this process too, and the load takes its time.
    async with RawCaller(service.address) as caller:
        phases = await trial(caller.ask, pace=pace, fault=fault, callers=1)
    growth = Taken.by(service.program.child.pid).rss - before.rss
    counts = ", ".join(f"{what} {count}" for what, count in sorted(asker.counts.items()))
    times = " / ".join(f"{asker.figures.milliseconds(share):.1f}" for share in (0.5, 0.99))
    ledger.add(
        Row(
            fault="bad input",
            done=f"{asker.counts.total():,} requests from the descriptors, spoilt bytes among them,"
            " one after the other",
            load=RAW,
            phases=phases,
            besides=f"{counts}; p50 / p99 of these {times}; RSS {growth / MB:+.1f} MB",
        )
    )
    assert {name for name in METHODS if asker.counts[f"{name} OK"]} == set(METHODS)
    assert growth < MOST_GROWTH
