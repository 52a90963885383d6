"""Who is told what, on which address; and what does not listen where others reach it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman_client import RoutingClient
from pointsman_server.bootstrap.http_endpoints import (
    DECISION_API,
    MORPH_API,
    Endpoint,
    EndpointSettings,
    serve_endpoint,
)
from pointsman_server.core.errors import SettingInvalid, SourceUnreadable
from pointsman_server.telemetry.metrics.catalog import CALLS
from support.counted import counted
from support.served import FRONTIER, Peer, Starter, request
from support.ways import WAYS

TOKEN = [("authorization", "Bearer s3cret")]
EVERYWHERE = "0.0.0.0:0"


def tokens(folder: Path) -> Path:
    path = folder / "tokens"
    path.write_text(f"gateway {hashlib.sha256(b's3cret').hexdigest()}\n")
    return path


def admin(peer: Peer) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{peer.running.admin_port}")


async def listed(channel: grpc.aio.Channel, **call: Any) -> set[str]:
    """The services that reflection names."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = await stub.ServerReflectionInfo(iter([asked]), timeout=20, **call).read()
    return {s.name for s in answer.list_services_response.service}


async def servers(channel: grpc.aio.Channel, **call: Any) -> Any:
    stub = channelz_pb2_grpc.ChannelzStub(channel)
    answer = await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=20, **call)
    return answer.server


async def test_the_admin_address_answers_everything_that_one_looks_around_with(
    start: Starter,
) -> None:
    peer = await start()
    await peer.decide(request())
    async with admin(peer) as channel:
        assert await listed(channel) >= {
            "pointsman.v1.RoutingService",
            "grpc.health.v1.Health",
            "grpc.channelz.v1.Channelz",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        assert sum(s.data.calls_succeeded for s in await servers(channel)) >= 1
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub: Any = routing_service_pb2_grpc.RoutingServiceStub
        decided = await stub(channel).RouteDecision(request(), timeout=20)
        assert decided.outcome == pb.OUTCOME_ROUTED
        assert decided.decision.cached  # one service behind two addresses


@pytest.mark.parametrize("look", [listed, servers])
async def test_the_main_address_tells_nothing_of_what_is_inside(start: Starter, look: Any) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await look(peer.channel)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("look", [listed, servers])
async def test_the_admin_address_asks_for_the_same_tokens(
    start: Starter, tmp_path: Path, look: Any
) -> None:
    peer = await start(tokens_file=tokens(tmp_path))
    async with admin(peer) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await look(channel)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert await look(channel, metadata=TOKEN)


async def test_without_an_admin_address_there_is_none(start: Starter) -> None:
    peer = await start(admin_listen="")
    assert peer.running.admin_port is None
    assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_calls_are_counted_by_the_name_of_their_token_and_never_by_the_token(
    start: Starter, tmp_path: Path
) -> None:
    peer = await start(tokens_file=tokens(tmp_path))
    for _ in range(3):  # decided, then twice by the short way
        await peer.decide(request(), metadata=TOKEN)
    with pytest.raises(grpc.aio.AioRpcError):
        await peer.decide(request(caller=pb.Caller(user_id=" ")), metadata=TOKEN)
    for wrong in (None, [("authorization", "Bearer wr0ng")]):
        with pytest.raises(grpc.aio.AioRpcError):
            await peer.decide(request(), metadata=wrong)
    calls = counted(peer.running.telemetry.metrics, CALLS)
    method = "pointsman.v1.RoutingService/RouteDecision"
    assert calls == {
        (method, "gateway", "OK"): 3,
        (method, "gateway", "INVALID_ARGUMENT"): 1,
        (method, None, "UNAUTHENTICATED"): 2,
    }


@pytest.mark.parametrize(
    ("way", "rpc"), [("stream", "StreamRouteDecisions"), ("batch", "BatchRouteDecisions")]
)
async def test_streams_and_batches_ask_for_tokens_and_count_each_decision(
    start: Starter, tmp_path: Path, way: str, rpc: str
) -> None:
    peer = await start(tokens_file=tokens(tmp_path))
    ask, wire = WAYS[way], request().SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(peer.channel, wire, timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for _ in range(2):  # decided, then by the short way
        await ask(peer.channel, wire, timeout=20, metadata=TOKEN)
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(peer.channel, b"", timeout=20, metadata=TOKEN)
    method = f"pointsman.v1.RoutingService/{rpc}"
    assert counted(peer.running.telemetry.metrics, CALLS) == {
        (method, "gateway", "OK"): 2,
        (method, "gateway", "INVALID_ARGUMENT"): 1,
        (method, None, "UNAUTHENTICATED"): 1,
    }


async def test_a_token_is_rotated_without_a_restart_and_without_a_refused_call(
    start: Starter, tmp_path: Path
) -> None:
    path = tokens(tmp_path)
    peer = await start(tokens_file=path)
    new = f"gateway {hashlib.sha256(b'n3w').hexdigest()}\n"
    fresh = [("authorization", "Bearer n3w")]
    path.write_text(path.read_text() + new)
    for metadata in (TOKEN, fresh):
        await peer.decide(request(), metadata=metadata)
    path.write_text(new)
    await peer.decide(request(), metadata=fresh)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request(), metadata=TOKEN)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    path.write_text("half a li")
    await peer.decide(request(), metadata=fresh)


async def test_a_unix_socket_is_an_address(start: Starter, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/rpc.sock"
    await start(listen=address, admin_listen=f"unix:{tmp_path}/admin.sock")
    async with RoutingClient(address, timeout=20) as routing:
        answer = await routing.route(
            "Guard this accessor.", user_id="u", tier="kilo-auto/frontier", candidates=FRONTIER
        )
    assert answer.outcome == "routed"


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
async def test_a_unix_socket_that_is_listened_on_is_refused_and_left_alone(
    start: Starter, tmp_path: Path, form: str
) -> None:
    address = form.format(tmp_path / "rpc.sock")
    await start(listen=f"unix:{tmp_path}/rpc.sock")
    for again in ({"listen": address}, {"admin_listen": address}):
        with pytest.raises(SettingInvalid, match="another process listens on it"):
            await start(**again)
    async with RoutingClient(f"unix:{tmp_path}/rpc.sock", timeout=20) as routing:
        answer = await routing.route(
            "Guard this accessor.", user_id="u", tier="kilo-auto/frontier", candidates=FRONTIER
        )
    assert answer.outcome == "routed"


async def test_a_socket_whose_process_has_ended_is_taken_over(
    start: Starter, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "rpc.sock"))
        gone.listen()
    (tmp_path / "rpc.sock.lock").touch()
    peer = await start(listen=f"unix:{tmp_path}/rpc.sock")
    await peer.stop()
    assert not [n for n in os.listdir(tmp_path) if "sock" in n]  # noqa: PTH208  (no blocking Path)
    await start(listen=f"unix:{tmp_path}/rpc.sock")


async def test_a_file_that_is_no_socket_is_not_replaced(start: Starter, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("mode: off")
    with pytest.raises(SettingInvalid, match="is not a socket"):
        await start(listen=f"unix:{file}")
    assert file.read_text() == "mode: off"


@pytest.mark.parametrize(
    ("address", "setting", "word"),
    [
        ("listen", "POINTSMAN_LISTEN", "rpc"),
        ("admin_listen", "POINTSMAN_ADMIN_LISTEN", "admin"),
        ("metrics_listen", "POINTSMAN_METRICS_LISTEN", "metrics"),
    ],
)
async def test_plaintext_where_others_reach_it_is_refused_until_it_is_asked_for_in_words(
    start: Starter, address: str, setting: str, word: str
) -> None:
    others = {"rpc", "admin", "metrics"} - {word}
    with pytest.raises(SettingInvalid) as caught:
        await start(**{address: EVERYWHERE}, plaintext_beyond_loopback=",".join(others))
    assert caught.value.setting == setting
    told = caught.value.why.rpartition("POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK=")[2]
    peer = await start(**{address: EVERYWHERE}, plaintext_beyond_loopback=told)
    assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_the_command_says_what_to_set_and_ends() -> None:
    command = (sys.executable, "-m", "pointsman_server", "serve", "--listen", EVERYWHERE)
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await child.communicate()
    assert child.returncode == 2
    assert said.decode().startswith("pointsman: POINTSMAN_LISTEN: other machines may reach 0.0.0.0")
    assert "POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK=rpc" in said.decode()


async def test_the_standard_variables_for_prometheus_need_the_words_too(start: Starter) -> None:
    variables = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    }
    with pytest.raises(SettingInvalid, match="OTEL_EXPORTER_PROMETHEUS_HOST"):
        await start(metrics_listen="", environment=variables)
    peer = await start(
        metrics_listen="", environment=variables, plaintext_beyond_loopback="metrics"
    )
    assert peer.running.metrics_port


@pytest.mark.parametrize(
    "half", ["tls_cert_file", "tls_key_file", "tls_client_ca_file"], ids=lambda name: name
)
async def test_a_part_of_tls_is_no_tls(start: Starter, tmp_path: Path, half: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        await start(**{half: tmp_path / "x.pem"})
    assert caught.value.setting == f"POINTSMAN_{half.upper()}"


@pytest.mark.parametrize("endpoint", [MORPH_API, DECISION_API], ids=lambda e: e.command)
async def test_an_http_endpoint_listens_beyond_loopback_only_when_it_is_asked_for(
    endpoint: Endpoint,
) -> None:
    asked = EndpointSettings(
        listen=EVERYWHERE,
        policy_file=None,
        keys_file=None,
        key_env=None,
        faults=False,
        plaintext_beyond_loopback=False,
    )
    with pytest.raises(SettingInvalid, match="add --plaintext-beyond-loopback"):
        await serve_endpoint(endpoint, asked, say=print)
    # Asked for, it goes on to what it lacks next.
    with pytest.raises(SourceUnreadable, match="holds no key"):
        await serve_endpoint(endpoint, replace(asked, plaintext_beyond_loopback=True), say=print)


async def test_a_server_that_cannot_start_leaves_nothing_behind(
    start: Starter, tmp_path: Path
) -> None:
    with pytest.raises(SettingInvalid, match="POINTSMAN_TOKENS_FILE"):
        await start(tokens_file=tmp_path / "none")
    taken = await start()
    for address, setting in (("listen", "POINTSMAN_LISTEN"), ("admin_listen", "_ADMIN_LISTEN")):
        with pytest.raises(SettingInvalid, match=f"{setting}: cannot listen on"):
            await start(**{address: f"127.0.0.1:{taken.running.port}"})
    assert (await taken.decide(request())).outcome == pb.OUTCOME_ROUTED
