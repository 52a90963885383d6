"""TLS and mutual TLS over real sockets, with certificates made by openssl."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import urllib.request
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from pointsman_client import RoutingClient, Tls, Transport, Unavailable
from pointsman_server.telemetry.metrics.catalog import CALLS
from support.certificates import Authority, Pair
from support.counted import counted
from support.load import Load
from support.served import FRONTIER, Peer, Starter, policy_text, request

LLM = {
    "profiles": {"fast": {"provider": "openai", "model": "gpt-4o-mini"}},
    "routes": {"plan_create": "fast"},
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> Pair:
    """Where the server's certificate is."""
    return authority.issue().put(tmp_path)


def settings(files: Pair, *, clients: bool = False) -> dict[str, Any]:
    named: dict[str, Any] = {"tls_cert_file": files.certificate, "tls_key_file": files.key}
    return named | ({"tls_client_ca_file": files.ca} if clients else {})


def client(peer: Peer, roots: Path, pair: Pair | None = None, **more: Any) -> RoutingClient:
    """The product's client, on a connection of its own."""
    tls = Tls.from_files(
        roots=roots,
        certificate=pair.certificate if pair else None,
        key=pair.key if pair else None,
    )
    return RoutingClient(f"localhost:{peer.running.port}", tls=tls, timeout=20, **more)


async def asked(routing: RoutingClient) -> str:
    async with routing:
        answer = await routing.route(
            "Guard this accessor against null.",
            user_id="u",
            tier="kilo-auto/frontier",
            candidates=FRONTIER,
        )
    return answer.outcome


async def test_a_client_that_trusts_the_authority_is_answered(
    start: Starter, files: Pair, authority: Authority
) -> None:
    peer = await start(**settings(files))
    assert await asked(client(peer, authority.certificate)) == "routed"


async def test_a_client_that_trusts_another_authority_goes_away(
    start: Starter, files: Pair, stranger: Authority
) -> None:
    peer = await start(**settings(files))
    with pytest.raises(Unavailable):
        await asked(client(peer, stranger.certificate))


async def test_an_expired_certificate_is_refused_by_the_client(
    start: Starter, authority: Authority, tmp_path: Path
) -> None:
    peer = await start(**settings(authority.issue(days=-1).put(tmp_path)))
    with pytest.raises(Unavailable):
        await asked(client(peer, authority.certificate))


async def test_a_client_in_plaintext_is_refused_and_the_next_one_is_answered(
    start: Starter, files: Pair, authority: Authority
) -> None:
    peer = await start(**settings(files))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request())
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await asked(client(peer, authority.certificate)) == "routed"


@pytest.mark.parametrize(
    ("version", "agreed"),
    [("TLSv1_1", None), ("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")],
)
async def test_tls_1_2_is_the_least(
    start: Starter, files: Pair, version: str, agreed: str | None
) -> None:
    peer = await start(**settings(files))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]

    def shake() -> str | None:
        with (
            socket.create_connection(("127.0.0.1", peer.running.port), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            return secured.version()

    expected = contextlib.nullcontext() if agreed else pytest.raises(ssl.SSLError)
    with expected:
        assert await asyncio.to_thread(shake) == agreed


@pytest.mark.parametrize("transport", list(Transport))
async def test_with_client_certificates_only_whom_the_authority_vouches_for_is_let_in(
    start: Starter,
    files: Pair,
    authority: Authority,
    stranger: Authority,
    transport: Transport,
) -> None:
    peer = await start(**settings(files, clients=True))
    roots = authority.certificate
    how: dict[str, Any] = {"transport": transport, "retries": 0}
    assert await asked(client(peer, roots, authority.issue("gateway"), **how)) == "routed"
    for wrong in (None, stranger.issue("gateway"), authority.issue("gateway", days=-1)):
        with pytest.raises(Unavailable):
            await asked(client(peer, roots, wrong, **how))


async def test_both_grpc_addresses_have_the_same_locks(
    start: Starter, files: Pair, authority: Authority
) -> None:
    peer = await start(**settings(files, clients=True))
    roots, port = authority.certificate, peer.running.admin_port
    gateway = authority.issue("gateway")
    tls = Tls.from_files(roots=roots, certificate=gateway.certificate, key=gateway.key)
    assert await asked(RoutingClient(f"localhost:{port}", tls=tls, timeout=20)) == "routed"
    for other in (Tls.from_files(roots=roots), False):
        with pytest.raises(Unavailable):
            await asked(RoutingClient(f"localhost:{port}", tls=other, timeout=20))


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("DNS:gateway.test,DNS:other.test", "gateway.test"),
        ("URI:spiffe://test/gateway", "spiffe://test/gateway"),
        ("", "gateway"),
    ],
)
async def test_a_client_certificate_names_the_caller_where_no_token_does(
    start: Starter, files: Pair, authority: Authority, names: str, name: str
) -> None:
    peer = await start(**settings(files, clients=True))
    await asked(client(peer, authority.certificate, authority.issue("gateway", names=names)))
    [(method, caller, status)] = counted(peer.running.telemetry.metrics, CALLS)
    assert (method, caller, status) == ("pointsman.v1.RoutingService/RouteDecision", name, "OK")


async def test_certificates_are_swapped_under_load_without_a_failed_call(
    start: Starter, files: Pair, authority: Authority
) -> None:
    peer = await start(**settings(files, clients=True))
    gateway, roots = authority.issue("gateway"), authority.certificate

    async def ask(_number: int) -> str | None:
        # A connection a call: every one shakes hands with what is in force then.
        return None if await asked(client(peer, roots, gateway)) == "routed" else "not routed"

    seen = {await asyncio.to_thread(_expiry, peer, files.ca, gateway)}
    async with Load(ask, callers=4) as load:
        before = await load.phase("before", 0.3)
        for days in (5, 6, 7):
            authority.issue(days=days).put(files.certificate.parent)
            await load.phase(f"swapped {days}", 0.3)
            seen.add(await asyncio.to_thread(_expiry, peer, files.ca, gateway))
    assert before.seconds
    assert all(not p.failed and not p.wrong for p in load.phases.values()), load.phases
    assert len(seen) == 4
    lines = (await asyncio.to_thread(_metrics, peer)).splitlines()
    assert 'pointsman_tls_reloads_total{pointsman_reload_result="taken"} 3.0' in lines
    [expiry] = [line for line in lines if line.startswith("pointsman_tls_certificate_expiry_")]
    assert float(expiry.split()[1]) == max(seen)


def _metrics(peer: Peer) -> str:
    url = f"http://127.0.0.1:{peer.running.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=20) as page:
        text: str = page.read().decode()
    return text


def _expiry(peer: Peer, roots: Path, pair: Pair) -> int:
    """When the certificate that is shown expires."""
    context = ssl.create_default_context(cafile=str(roots))
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", peer.running.port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        return int(ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"])))


@pytest.mark.parametrize(
    "what",
    [("decide", "Hi", "--tier", "kilo-auto/frontier"), ("resolve", "plan_create", "--run-id", "r")],
)
async def test_the_commands_show_a_certificate_and_ask_for_the_right_name(
    start: Starter, authority: Authority, tmp_path: Path, what: Sequence[str]
) -> None:
    server = authority.issue("routing.internal.test").put(tmp_path)
    peer = await start(**settings(server, clients=True), policy=policy_text(llm=LLM))
    gateway = authority.issue("gateway")
    address = ["--address", f"localhost:{peer.running.port}", "--timeout", "20"]
    trust = ["--ca", str(server.ca), "--server-name", "routing.internal.test"]
    shown = ["--cert", str(gateway.certificate), "--key", str(gateway.key)]
    whole, unnamed, anonymous = await asyncio.gather(
        command(*what, *address, *trust, *shown),
        command(*what, *address, *trust[:2], *shown),
        command(*what, *address, *trust),
    )
    assert whole[0] == 0, whole
    assert unnamed[0] == 1, unnamed
    assert anonymous[0] == 1, anonymous


async def command(*arguments: str) -> tuple[int | None, str]:
    """`pointsman` in a process of its own: gRPC serves one event loop in a process."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman_server", *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await child.communicate()
    return child.returncode, said.decode()
