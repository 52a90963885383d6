"""How the service is reached: retries, keepalive, TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import Keepalive, RoutingClient, Tls, Unavailable
from pointsman_client.channel import _arguments, service_config
from pointsman_client.testing import FakeService, routed

PEMS = Path(__file__).parent / "tls"


def test_only_a_server_that_is_away_or_stops_is_retried_and_within_a_budget() -> None:
    config = json.loads(service_config(2))
    policy = config["methodConfig"][0]["retryPolicy"]
    assert policy["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]
    assert policy["maxAttempts"] == 3
    assert config["methodConfig"][0]["name"] == [{"service": pb_service()}]
    # gRPC retries while more than half of the tokens are there: a connection's calls at once.
    assert config["retryThrottling"] == {"maxTokens": 200, "tokenRatio": 0.1}


def pb_service() -> str:
    from pointsman.v1 import routing_service_pb2

    name: str = routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"].full_name
    return name


def test_no_retries_means_no_policy() -> None:
    assert "retryPolicy" not in json.loads(service_config(0))["methodConfig"][0]


def test_what_reached_no_server_goes_again_also_without_a_policy() -> None:
    assert _arguments(tls=None, keepalive=None, retries=0)["grpc.enable_retries"] == 1


def test_more_attempts_than_grpc_allows_are_not_asked_for() -> None:
    policy = json.loads(service_config(50))["methodConfig"][0]["retryPolicy"]
    assert policy["maxAttempts"] == 5


def test_keepalive_is_off_unless_asked_for() -> None:
    bare = _arguments(tls=None, keepalive=None, retries=2)
    assert not [name for name in bare if "keepalive" in name]
    kept = _arguments(tls=None, keepalive=Keepalive(every=20, without_calls=True), retries=2)
    assert kept["grpc.keepalive_time_ms"] == 20_000
    assert kept["grpc.keepalive_permit_without_calls"] == 1


async def test_options_of_the_caller_win(fake: FakeService) -> None:
    fake.answer(routed("vendor/b"))
    options = {"grpc.primary_user_agent": "my-gateway"}
    async with RoutingClient(fake.target, options=options, timeout=30) as client:
        await client.route("Hi", user_id="u")
    assert fake.calls[0].metadata["user-agent"].startswith("my-gateway ")


async def _serve_with_tls() -> tuple[grpc.aio.Server, str]:
    async def answer(request: pb.RouteDecisionRequest, context: Any) -> pb.RouteDecisionResponse:
        return routed("vendor/b")

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=pb.RouteDecisionRequest.FromString,
        response_serializer=pb.RouteDecisionResponse.SerializeToString,
    )
    handlers = {"RouteDecision": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(pb_service(), handlers),))
    pair = ((PEMS / "key.pem").read_bytes(), (PEMS / "certificate.pem").read_bytes())
    credentials = grpc.ssl_server_credentials([pair])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    return server, f"127.0.0.1:{port}"


async def test_tls_trusts_the_roots_that_it_is_given_and_no_others() -> None:
    server, target = await _serve_with_tls()
    trusting = Tls.from_files(roots=PEMS / "certificate.pem", server_name="pointsman.test")
    try:
        async with RoutingClient(target, tls=trusting, timeout=30) as client:
            assert (await client.route("Hi", user_id="u")).serve_model == "vendor/b"
        async with RoutingClient(target, tls=True, timeout=30) as client:
            with pytest.raises(Unavailable):
                await client.route("Hi", user_id="u")
    finally:
        await server.stop(None)


def test_a_private_key_is_not_printed() -> None:
    assert "s3cret" not in repr(Tls(certificate_chain=b"chain", private_key=b"s3cret"))


@pytest.mark.parametrize("half", [{"certificate_chain": b"chain"}, {"private_key": b"s3cret"}])
def test_a_certificate_without_its_key_or_a_key_alone_is_a_mistake(half: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="need each other") as caught:
        Tls(**half)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pem"):
        Tls.from_files(certificate=PEMS / "certificate.pem", key=tmp_path / "none.pem")
