import asyncio
from collections.abc import AsyncIterator

import pytest
from pointsman_server.telemetry.metrics import endpoint as module
from pointsman_server.telemetry.metrics.endpoint import CONNECTIONS, HEAD_BYTES, MetricsEndpoint

HOST = "127.0.0.1"


async def up() -> bytes:
    return b"up 1\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    endpoint = MetricsEndpoint(up, content_type="text/plain; version=0.0.4")
    try:
        yield await endpoint.start(HOST, 0)
    finally:
        await endpoint.aclose()


async def send(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_page_is_served(port: int) -> None:
    answer = await send(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/plain; version=0.0.4",
        b"Content-Length: 5",
        b"Connection: close",
    ]
    assert body == b"up 1\n"


ANSWERS = {
    "a query is allowed": (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", b"200 OK"),
    "only the head is sent for HEAD": (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200 OK"),
    "another page": (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
    "another method": (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
    "no HTTP": (b"hello\r\n\r\n", b"400 Bad Request"),
    "another HTTP": (b"GET /metrics HTTP/2\r\n\r\n", b"400 Bad Request"),
    "a head without end": (b"GET /" + b"x" * 2 * HEAD_BYTES, b"431 Request Header"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_requests_are_answered_by_the_book(port: int, name: str) -> None:
    request, status = ANSWERS[name]

    answer = await send(port, request)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.endswith(b"up 1\n") == (status == b"200 OK" and not request.startswith(b"HEAD"))


async def test_a_client_that_goes_away_leaves_the_others_alone(port: int) -> None:
    _, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /met")
    writer.close()
    await writer.wait_closed()

    assert (await send(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"up 1\n")


GET = b"GET /metrics HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("said", [b"", b"GET /met", GET[:-2]], ids=["nothing", "a part", "no end"])
@pytest.mark.parametrize("connections", [CONNECTIONS, 2 * CONNECTIONS])
async def test_silent_connections_keep_no_scraper_out(
    port: int, said: bytes, connections: int
) -> None:
    held = [await asyncio.open_connection(HOST, port) for _ in range(connections)]
    for _, writer in held:
        writer.write(said)
    await asyncio.sleep(0.05)

    assert {(await send(port, GET))[-5:] for _ in range(10)} == {b"up 1\n"}

    for _, writer in held:
        writer.close()


async def test_the_oldest_silent_connection_makes_room(port: int) -> None:
    held = [await asyncio.open_connection(HOST, port) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.05)
    last = await asyncio.open_connection(HOST, port)

    assert await asyncio.wait_for(held[0][0].read(), 1) == b""
    held[1][1].write(GET)
    assert (await held[1][0].read()).endswith(b"up 1\n")

    for _, writer in [*held, last]:
        writer.close()


async def test_readers_that_take_no_answer_keep_no_scraper_out() -> None:
    async def large() -> bytes:
        return b"x" * (1 << 24)

    endpoint = MetricsEndpoint(large, content_type="text/plain")
    port = await endpoint.start(HOST, 0)
    held = [await asyncio.open_connection(HOST, port, limit=1) for _ in range(CONNECTIONS)]
    for _, writer in held:
        writer.write(GET)
    await asyncio.sleep(0.1)

    assert (await send(port, GET)).endswith(b"xxx")

    for _, writer in held:
        writer.transport.abort()
    await endpoint.aclose()


async def test_a_request_that_does_not_end_is_cut_off_in_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /met")
    assert await asyncio.wait_for(reader.read(), 1) == b""
    writer.close()


async def test_many_scrapes_at_once_are_all_answered(port: int) -> None:
    answers = (send(port, GET) for _ in range(CONNECTIONS))
    assert {a[-5:] for a in await asyncio.gather(*answers)} == {b"up 1\n"}


async def test_closing_does_not_wait_for_clients() -> None:
    endpoint = MetricsEndpoint(up, content_type="text/plain")
    port = await endpoint.start(HOST, 0)
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /met")
    await asyncio.sleep(0.01)

    await endpoint.aclose()

    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(HOST, port)
    writer.close()
    assert await reader.read() == b""
