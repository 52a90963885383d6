"""`pointsman health` against a real health service: what a probe and what a person sees."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from pointsman_client.cli.health import health

TLS = Path(__file__).parent / "tls"
State = health_pb2.HealthCheckResponse.ServingStatus


class Probed:
    """A server with health and nothing else, on a loop of its own: the command runs one itself."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.address = self._run(self._start(credentials))

    async def _start(self, credentials: grpc.ServerCredentials | None) -> str:
        self._server = grpc.aio.server()
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        add = self._server.add_insecure_port
        any_port = "127.0.0.1:0"
        port = self._server.add_secure_port(any_port, credentials) if credentials else add(any_port)
        await self._server.start()
        return f"127.0.0.1:{port}"

    def say(self, state: State, *, service: str = "") -> None:
        self._run(self._health.set(service, state))

    def close(self) -> None:
        self._run(self._server.stop(0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@pytest.fixture
def probed() -> Iterator[Probed]:
    server = Probed()
    yield server
    server.close()


def ask(server: Probed, *argv: str) -> int:
    return health(["--address", server.address, "--timeout", "30", *argv])


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        (State.Value("SERVING"), 0, "SERVING\n"),
        (State.Value("NOT_SERVING"), 3, "NOT_SERVING\n"),
        (State.Value("UNKNOWN"), 3, "UNKNOWN\n"),
        (State.Value("SERVICE_UNKNOWN"), 3, "SERVICE_UNKNOWN\n"),
    ],
)
def test_it_says_what_the_server_says_and_only_serving_is_well(
    probed: Probed, state: State, status: int, said: str, capsys: pytest.CaptureFixture[str]
):
    probed.say(state)
    assert ask(probed) == status
    assert capsys.readouterr() == (said, "")


def test_one_service_is_asked_for_by_name(probed: Probed, capsys: pytest.CaptureFixture[str]):
    probed.say(State.Value("SERVING"), service="pointsman.v1.RoutingService")
    probed.say(State.Value("NOT_SERVING"))
    assert ask(probed, "--service", "pointsman.v1.RoutingService") == 0
    assert ask(probed) == 3
    assert ask(probed, "--service", "no.such.Service") == 3
    assert capsys.readouterr().err == "pointsman health: no service no.such.Service\n"


def test_scripts_can_have_json(probed: Probed, capsys: pytest.CaptureFixture[str]):
    probed.say(State.Value("SERVING"))
    assert ask(probed, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"status": "SERVING"}


def test_over_tls_the_certificate_is_checked(capsys: pytest.CaptureFixture[str]):
    key, certificate = (TLS / "key.pem").read_bytes(), (TLS / "certificate.pem").read_bytes()
    roots = str(TLS / "certificate.pem")
    server = Probed(grpc.ssl_server_credentials([(key, certificate)]))
    try:
        server.say(State.Value("SERVING"))
        assert ask(server, "--ca", roots, "--server-name", "pointsman.test") == 0
        assert ask(server, "--ca", roots, "--server-name", "other.test") == 1
        assert ask(server) == 1, "plaintext"
        assert ask(server, "--tls") == 1, "roots that do not know it"
    finally:
        server.close()
    assert "UNAVAILABLE" in capsys.readouterr().err


def test_nobody_there_is_no_answer(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*unused.getsockname())
        assert health(["--address", address]) == 1
    assert address in capsys.readouterr().err


def test_a_file_that_is_not_there_is_bad_usage(capsys: pytest.CaptureFixture[str]):
    assert health(["--ca", "/no/such/file"]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert health(["--no-such-flag"]) == 2
