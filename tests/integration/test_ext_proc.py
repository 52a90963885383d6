"""The external processor over real gRPC, with this test in Envoy's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman_client import Reason, RoutingClient
from pointsman_client.testing import FOREVER, FakeService, Refusal, not_routed, routed
from pointsman_extproc.arguments import parser_of
from pointsman_extproc.choosing import Chooser
from pointsman_extproc.listen import Listen
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.processor import Processor
from pointsman_extproc.server import SERVICE, listening
from pointsman_extproc.settings import Settings
from pointsman_extproc.wire import external_processor_pb2 as pb
from support.eventually import eventually
from support.ext_proc import (
    BODY,
    CANARY,
    PICK,
    TIER,
    USUAL,
    Running,
    body_of,
    head_of,
    passed,
    processing,
)

TLS = Path(__file__).parents[1] / "unit" / "client" / "tls"
DECIDED = "vendor/decided"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


async def test_a_decision_replaces_the_model_and_says_so(fake: FakeService) -> None:
    fake.answer(routed(DECIDED))
    async with processing(fake) as running:
        first, second = await running.post()
        common = second.request_body.response
        assert common.body_mutation.body == BODY.replace(TIER.encode(), DECIDED.encode())
        assert common.clear_route_cache
        headers = {h.header.key: h.header.raw_value for h in common.header_mutation.set_headers}
        assert headers == {
            "x-pointsman-model": DECIDED.encode(),
            "x-pointsman-why": b"routed",
            "content-length": str(len(common.body_mutation.body)).encode(),
        }
        assert running.counted("routed", model_set="true")
        overwrite = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
        assert {h.append_action for h in common.header_mutation.set_headers} == {overwrite}
        assert first.mode_override.request_body_mode == pb.ProcessingMode.BUFFERED
        assert first.mode_override.response_header_mode == pb.ProcessingMode.SKIP
        removed = first.request_headers.response.header_mutation.remove_headers
        assert set(removed) == {"x-pointsman-model", "x-pointsman-why"}


async def test_pointsman_is_asked_with_bounded_prefixes_ids_and_the_trace(
    fake: FakeService,
) -> None:
    fake.answer(routed(DECIDED))
    async with processing(fake) as running:
        await running.post(
            x_user_id="u-1", x_session_id="s-1", x_organization_id="o-1", x_request_id="r-1",
            traceparent=f"00-{TRACE}-b7ad6b7169203331-01", authorization="Bearer key-of-client",
        )  # fmt: skip
    [call] = fake.calls
    asked = call.request
    assert (asked.caller.user_id, asked.caller.session_id) == ("u-1", "s-1")
    assert (asked.caller.organization_id, asked.caller.client_request_id) == ("o-1", "r-1")
    assert (asked.routing.auto_model, asked.routing.resolved_model) == (TIER, PICK)
    assert not asked.routing.candidate_models
    assert (asked.requested_model, asked.body_bytes) == (TIER, len(BODY))
    assert asked.prompt.user_prompt_prefix == CANARY
    assert call.metadata["traceparent"].split("-")[1] == TRACE
    assert "key-of-client" not in str(asked) + str(call.metadata)


@pytest.mark.parametrize(
    ("body", "user"),
    [
        (BODY, "u-of-body"),
        (b'{"model":"kilo-auto/frontier","messages":[],"metadata":{"user_id":"u-2"}}', "u-2"),
        (b'{"model":"kilo-auto/frontier","messages":[],"user":7}', "anonymous"),
    ],
)
async def test_without_a_header_the_body_names_the_user(
    body: bytes, user: str, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    async with processing(fake) as running:
        await running.post(body)
    assert fake.calls[0].request.caller.user_id == user


async def test_a_body_of_unknown_length_is_taken_as_far_as_envoy_buffers(
    fake: FakeService,
) -> None:
    fake.answer(routed(DECIDED))
    async with processing(fake) as running:
        first, second = await running.post(announced=False)
        assert first.mode_override.request_body_mode == pb.ProcessingMode.BUFFERED_PARTIAL
        assert DECIDED.encode() in second.request_body.response.body_mutation.body


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Refusal(status="UNAVAILABLE"), "fallback:unavailable"),
        (Refusal(status="INTERNAL"), "fallback:service_fault"),
        (Refusal(status="UNAUTHENTICATED"), "fallback:denied"),
        (routed(DECIDED, serve_model=PICK, shadow=True), "shadow"),
        (not_routed("skipped", reason=Reason.UNKNOWN_TIER), "skipped:unknown_tier"),
        (not_routed("off", reason=Reason.MODE_OFF), "off:mode_off"),
    ],
)
async def test_where_nothing_is_decided_the_static_pick_serves(
    answer: Any, why: str, fake: FakeService
) -> None:
    fake.answer(answer)
    async with processing(fake) as running:
        _, second = await running.post()
        common = second.request_body.response
        assert common.body_mutation.body == BODY.replace(TIER.encode(), PICK.encode())
        assert running.counted(why, model_set="true")


async def test_a_service_that_hangs_costs_the_timeout_and_no_more(fake: FakeService) -> None:
    fake.answer(routed(DECIDED), delay=FOREVER)
    async with processing(fake, patience=0.05) as running:
        _, second = await running.post()
        assert PICK.encode() in second.request_body.response.body_mutation.body
        assert running.counted("fallback:deadline", model_set="true")


async def test_without_a_static_pick_the_client_gets_an_answer(fake: FakeService) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    async with processing(fake, tiers={TIER: None}) as running:
        _, second = await running.post()
        assert second.immediate_response.status.code == 503
        assert CANARY.encode() not in second.SerializeToString()
        assert running.counted("fallback:unavailable", model_set="false")


async def test_shadow_asks_beside_the_request_and_changes_nothing(fake: FakeService) -> None:
    fake.answer(routed(DECIDED), delay=0.0)
    async with processing(fake, serves=False) as running:
        _, second = await running.post(traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        assert passed(second)
        assert running.counted("mirrored", model_set="false")
        await fake.asked(1)
    assert fake.calls[0].request.routing.resolved_model == PICK
    assert fake.calls[0].metadata["traceparent"].split("-")[1] == TRACE


async def test_shadow_does_not_wait_for_a_service_that_hangs(fake: FakeService) -> None:
    fake.answer(routed(DECIDED), delay=FOREVER)
    async with processing(fake, serves=False) as running:
        _, second = await running.post()
        assert passed(second)
        await fake.asked(1)


@pytest.mark.parametrize(
    ("body", "whole", "why"),
    [
        (b'{"model":"vendor/other","messages":[]}', True, "concrete"),
        (b'{"model":"vendor/other","model":"x"}', True, "unreadable"),
        (b"", True, "unreadable"),
        (BODY.replace(TIER.encode(), b"vendor/other"), False, "too_large"),
    ],
)
async def test_what_is_not_for_a_tier_passes_unasked(
    body: bytes, whole: bool, why: str, fake: FakeService
) -> None:
    async with processing(fake) as running:
        _, second = await running.post(body, announced=False, whole=whole)
        assert passed(second)
        assert running.counted(why, model_set="false")


@pytest.mark.parametrize(
    ("body", "whole", "why"),
    [
        (b'{"model":"kilo-auto/frontier"', True, "unreadable"),
        (b'{"model":"kilo-auto/frontier","model":"x"}', True, "unreadable"),
        (BODY, False, "too_large"),
    ],
)
async def test_a_tier_in_a_body_that_is_not_read_becomes_the_static_pick(
    body: bytes, whole: bool, why: str, fake: FakeService
) -> None:
    async with processing(fake) as running:
        _, second = await running.post(body, announced=False, whole=whole)
        changed = second.request_body.response.body_mutation.body
        assert changed == body.replace(TIER.encode(), PICK.encode())
        assert running.counted(why, model_set="true")


async def test_of_a_body_announced_as_too_long_the_start_is_taken(fake: FakeService) -> None:
    async with processing(fake, most_bytes=len(BODY) - 1) as running:
        head = head_of(USUAL | {"content-length": str(len(BODY))})
        first, second = await running.ask(head, body_of(BODY))
        assert first.mode_override.request_body_mode == pb.ProcessingMode.BUFFERED_PARTIAL
        removed = first.request_headers.response.header_mutation.remove_headers
        assert "content-length" in removed
        assert PICK.encode() in second.request_body.response.body_mutation.body
    async with processing(fake, most_bytes=len(BODY) - 1, serves=False) as running:
        [only] = await running.ask(head)
        assert only.mode_override.request_body_mode == pb.ProcessingMode.NONE
        assert running.counted("too_large", model_set="false")


async def test_bodies_that_would_be_too_many_are_refused_until_there_is_room(
    fake: FakeService,
) -> None:
    fake.always(routed(DECIDED))
    announced = head_of(USUAL | {"content-length": str(len(BODY))})
    unknown = head_of(USUAL)
    room = {"most_bytes": len(BODY), "most_held_bytes": len(BODY), "least_wait": 600.0}
    async with processing(fake, **room) as running:
        first = running.open()
        await first.write(announced)
        assert (await first.read()).mode_override.request_body_mode == pb.ProcessingMode.BUFFERED
        for late in (announced, unknown):
            [only] = await running.ask(late)
            assert only.immediate_response.status.code == 503
        first.cancel()
        await eventually(lambda: _is_taken(running, announced))
        await eventually(lambda: _is_taken(running, unknown))
        assert running.counted("busy", model_set="false", times=None)


async def _is_taken(running: Running, head: pb.ProcessingRequest) -> bool:
    call = running.open()
    await call.write(head)
    answer = await call.read()
    call.cancel()
    return bool(answer.mode_override.request_body_mode)


@pytest.mark.parametrize(
    "requests",
    [
        [head_of({":method": "GET", ":path": "/health"}, end=True), body_of(b"")],
        [head_of(USUAL | {"content-type": "multipart/form-data"}), body_of(b"x")],
        [body_of(BODY)],
        [pb.ProcessingRequest(request_trailers=pb.HttpTrailers())],
        [pb.ProcessingRequest(response_headers=pb.HttpHeaders())],
        [pb.ProcessingRequest(response_body=pb.HttpBody(body=b"x"))],
        [pb.ProcessingRequest()],
        [],
    ],
)
async def test_every_other_phase_is_let_on_once_and_the_stream_ends(
    requests: Sequence[pb.ProcessingRequest], fake: FakeService
) -> None:
    async with processing(fake) as running:
        call = running.open(iter(requests))
        answers = [answer async for answer in call]
        assert len(answers) == min(len(requests), 1)
        for request, answer in zip(requests, answers, strict=False):
            phase = request.WhichOneof("request") or "request_headers"
            assert answer.WhichOneof("response") == phase
        assert await call.code() is grpc.StatusCode.OK


async def test_a_bug_in_here_serves_the_static_pick_and_tells_no_text(
    fake: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def choose(self, _head: Any, raw: bytes, *, whole: bool) -> Any:
            raise LookupError(raw, whole)

    async with processing(fake, chooser=Broken()) as running:
        _, second = await running.post()
        assert PICK.encode() in second.request_body.response.body_mutation.body
        assert running.counted("fault", model_set="true")
    assert "LookupError" in caplog.text
    assert CANARY not in caplog.text


async def test_many_requests_share_one_connection(fake: FakeService) -> None:
    fake.always(routed(DECIDED))
    async with processing(fake) as running:
        answers = await asyncio.gather(*(running.post() for _ in range(100)))
    assert all(DECIDED.encode() in second.request_body.response.body_mutation.body
               for _, second in answers)  # fmt: skip
    assert len(fake.calls) == 100


async def test_no_figure_and_no_log_line_holds_a_prompt_or_an_id(
    fake: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answer(routed(DECIDED))
    with caplog.at_level("DEBUG", logger="pointsman_extproc"):
        async with processing(fake) as running:
            await running.post(x_user_id="id-of-user", authorization="key-of-client")
            said = running.figures() + "\n".join(
                r.getMessage() for r in caplog.records if r.name.startswith("pointsman")
            )
    for secret in (CANARY, "id-of-user", "key-of-client", "u-of-body"):
        assert secret not in said


async def test_health_is_told(fake: FakeService) -> None:
    async with processing(fake) as running:
        stub: Any = health_pb2_grpc.HealthStub(running.channel)
        for service in ("", SERVICE):
            told = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert told.status == health_pb2.HealthCheckResponse.SERVING


async def test_it_listens_with_tls_to_clients_of_its_ca(fake: FakeService, tmp_path: Path) -> None:
    settings = Settings(tiers={TIER: PICK}, serves=True)
    key, certificate = TLS / "key.pem", TLS / "certificate.pem"
    flags = ("--tier", TIER, "--listen", f"unix:{tmp_path}/s", "--tls-cert-file", str(certificate),
             "--tls-key-file", str(key), "--tls-client-ca-file", str(certificate))  # fmt: skip
    listen = Listen.from_arguments(parser_of().parse_args(flags))
    anonymous = grpc.ssl_channel_credentials(certificate.read_bytes())
    known = grpc.ssl_channel_credentials(
        certificate.read_bytes(), key.read_bytes(), certificate.read_bytes()
    )
    fake.answer(routed(DECIDED))
    async with RoutingClient(fake.target, decide_timeout=30) as client:
        chooser = Chooser(client, settings=settings)
        processor = Processor(chooser, settings=settings, metrics=Metrics())
        async with (
            listening(processor, listen=listen, most_bytes=settings.most_bytes, grace=5) as address,
            trusting(address, anonymous) as refused,
            trusting(address, known) as taken,
        ):
            _, second = await Running(fake, Metrics(), taken).post()
            assert DECIDED.encode() in second.request_body.response.body_mutation.body
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await Running(fake, Metrics(), refused).post()
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def trusting(address: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    named = (("grpc.ssl_target_name_override", "pointsman.test"),)
    return grpc.aio.secure_channel(address, credentials, options=named)
