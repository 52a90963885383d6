import asyncio
from collections.abc import AsyncIterator

import pytest
from pointsman_server.telemetry.prometheus import CONNECTIONS, HEAD_BYTES, PrometheusEndpoint

HOST = "127.0.0.1"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    endpoint = PrometheusEndpoint(lambda: "up 1\n", content_type="text/plain; version=0.0.4")
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


async def test_connections_are_bounded_and_come_back(port: int) -> None:
    held = [await asyncio.open_connection(HOST, port) for _ in range(CONNECTIONS)]
    for _ in range(3):
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(HOST, port)

    assert await reader.read() == b""

    for _, waiting in [*held, (reader, writer)]:
        waiting.close()
    answers = (send(port, b"GET /metrics HTTP/1.1\r\n\r\n") for _ in range(CONNECTIONS))
    assert {a[-5:] for a in await asyncio.gather(*answers)} == {b"up 1\n"}


async def test_closing_does_not_wait_for_clients() -> None:
    endpoint = PrometheusEndpoint(lambda: "up 1\n", content_type="text/plain")
    port = await endpoint.start(HOST, 0)
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /met")
    await asyncio.sleep(0.01)

    await endpoint.aclose()

    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(HOST, port)
    writer.close()
    assert await reader.read() == b""
