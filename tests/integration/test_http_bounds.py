"""The HTTP listener before careless and hostile clients, and as it stops."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import struct

import httpx
import pytest
from pointsman_server.transport.http import gate, server
from support.eventually import eventually
from support.json_calls import DECIDE, JSON, SERVICE, body, client
from support.served import Peer, Starter


async def test_large_and_compressed_bodies_are_bounded(http: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 64 * 1024 * 1024)
    answer = await http.post(DECIDE, content=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert answer.json()["code"] == "resource_exhausted"
    answer = await http.post(DECIDE, content=b" " * 5 * 1024 * 1024, headers=JSON)
    assert answer.json()["code"] == "resource_exhausted"
    small = gzip.compress(json.dumps(body()).encode())
    answer = await http.post(DECIDE, content=small, headers=JSON | {"content-encoding": "gzip"})
    assert answer.status_code == 200


async def test_half_a_head_and_half_a_body_are_closed(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.2)
    head = f"POST {DECIDE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    for sent in ("", "POST /", head, f"{head}content-length: 500\r\n\r\n{{"):
        reader, writer = await asyncio.open_connection("127.0.0.1", peer.running.http_port)
        writer.write(sent.encode())
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()


async def test_nothing_that_a_caller_sent_reaches_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    canary = "canary-7291"
    hostile = {"tracestate": f"{canary}@=\x7f", "traceparent": canary, "x-canary": canary}
    await http.post(DECIDE, content=f'{{"{canary}": 1}}', headers=JSON | hostile)
    await http.post(f"/{canary}", json={})
    await http.post(DECIDE, json=body(prompt=f"Say {canary}."), headers=hostile)
    others = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert canary not in "\n".join(each.getMessage() for each in others)


def framed(message: bytes, *, flags: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BI", flags, len(message) if length is None else length) + message


BROKEN_STREAMS = {
    "cut off": (framed(b"{}", length=9), "invalid_argument", "promised 9 bytes"),
    "too long": (framed(b"", length=2**32 - 1), "resource_exhausted", "larger than"),
    "unknown flags": (framed(b"{}", flags=0x44), "invalid_argument", "flags"),
    "bomb": (
        framed(gzip.compress(bytes(64 * 1024 * 1024)), flags=1),
        "resource_exhausted",
        "larger than",
    ),
    "no JSON": (framed(b"["), "invalid_argument", "JSON"),
}


@pytest.mark.parametrize(("wire", "code", "said"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
async def test_a_stream_that_cannot_be_read_is_told_why(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, wire: bytes, code: str, said: str
) -> None:
    headers = {"content-type": "application/connect+json", "connect-content-encoding": "gzip"}
    answer = await http.post(f"/{SERVICE}/StreamRouteDecisions", content=wire, headers=headers)
    error = json.loads(answer.content[5:])["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert "unexpected" not in caplog.text


async def raw(peer: Peer, sent: bytes) -> bytes:
    """Send bytes, and return the answer's head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.running.http_port)
    writer.write(sent)
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head


HEAD = f"POST {DECIDE} HTTP/1.1\r\nhost: x\r\n".encode()
UNREADABLE = {
    "no HTTP": (b"\x16\x03\x01\r\n\r\n", b"400"),
    "a long head": (HEAD + b"a:1\r\n" * 13_000 + b"\r\n", b"400"),
    "a long line of a chunk": (
        HEAD + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 40_000,
        b"400",
    ),
    "a header that is no text": (HEAD + b"content-type: \xff\r\ncontent-length: 0\r\n\r\n", b"400"),
    "gRPC over HTTP/1.1": (
        HEAD + b"content-type: application/grpc\r\ncontent-length: 0\r\n\r\n",
        b"415",
    ),
    "a WebSocket": (HEAD + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n", b"400"),
}


@pytest.mark.parametrize(("sent", "status"), UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_refused_without_a_log_line(
    peer: Peer, caplog: pytest.LogCaptureFixture, sent: bytes, status: bytes
) -> None:
    caplog.clear()
    assert (await raw(peer, sent)).split()[1] == status
    others = [r for r in caplog.records if not r.name.startswith("asyncio")]
    assert others == []


@pytest.mark.parametrize("size", [1, 3_000])
async def test_a_body_arrives_whole_whatever_its_chunks(peer: Peer, size: int) -> None:
    wire = json.dumps(body()).encode() + b" " * 50_000
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in [*pieces, b""])
    head = HEAD + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    assert (await raw(peer, head + chunks)).split()[1] == b"200"


async def test_readiness_ends_before_connections_do(start: Starter) -> None:
    peer = await start(drain=0.5)
    async with client(peer) as http:
        assert (await http.get("/readyz")).status_code == 200
        stopping = asyncio.create_task(peer.stop())
        await asyncio.sleep(0.1)
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.post(DECIDE, json=body())).status_code == 200
        await stopping
        with pytest.raises(httpx.TransportError):
            await http.get("/readyz")


async def test_one_address_leaves_connections_to_others(start: Starter) -> None:
    port = (await start(max_connections=10)).running.http_port
    opened = [
        await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.1", 0))
        for _ in range(10)
    ]
    for reader, _ in opened[8:]:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read(1) == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    # A place that becomes free is given away again.
    for _, each in opened:
        each.close()
    writer.close()

    async def let_in() -> bool:
        async with httpx.AsyncClient(timeout=20) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            except httpx.TransportError:
                return False

    await eventually(let_in)
