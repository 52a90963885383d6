"""The transport whose callers may leave at any moment, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.engines.pooled import PooledTransport
from support.fakes import settle

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
# More than a whole exchange takes on a connection of its own, counted in turns of the event loop.
TURNS = 60


async def serve(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
    writer.transport.abort()


@contextlib.asynccontextmanager
async def pooled(*, places=1):
    """A client with so many places, the transport behind it and where to send requests."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=places))
    transport = PooledTransport(inner, places=places)
    timeout = httpx.Timeout(30.0, pool=None)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
            yield client, transport, url
        await settle()
    finally:
        await settle()
        server.close()
        await server.wait_closed()


async def left_after(turns, client, url):
    """Ask, and leave after so many turns of the event loop; whether the answer came before."""
    task = asyncio.create_task(client.get(url))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return not task.cancelled()


async def unharmed(client, transport, url, *, places=1):
    """As many are served at once as ever, and nothing is left behind."""
    async with asyncio.timeout(30):
        found = await asyncio.gather(*(client.get(url) for _ in range(places)))
    await settle()
    pool = transport._inner._pool
    assert [response.text for response in found] == ["ok"] * places
    assert transport._left == set()
    assert transport._places._value == places
    assert pool._requests == []
    assert all(connection.is_idle() for connection in pool.connections)
    assert len(pool.connections) <= places


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept connection"])
async def test_a_caller_may_leave_at_any_step_and_the_next_one_is_served(warm):
    answered = []
    for turns in range(TURNS):
        async with pooled() as (client, transport, url):
            if warm:
                await client.get(url)
            answered.append(await left_after(turns, client, url))
            await unharmed(client, transport, url)
    # All of the way was walked.
    assert (answered[0], answered[-1]) == (False, True)


@settings(max_examples=25)
@given(st.lists(st.integers(0, TURNS), min_size=1, max_size=20), st.integers(1, 3))
def test_many_callers_may_leave_while_they_wait_for_each_other(leaving, places):
    async def live():
        async with pooled(places=places) as (client, transport, url):
            await asyncio.gather(*(left_after(turns, client, url) for turns in leaving))
            await unharmed(client, transport, url, places=places)

    asyncio.run(live())


async def test_no_more_requests_are_under_way_than_there_are_places():
    async with pooled(places=2) as (client, transport, url):
        found = await asyncio.gather(*(client.get(url) for _ in range(20)))
        assert [response.text for response in found] == ["ok"] * 20
        assert len(transport._inner._pool.connections) <= 2


async def test_a_response_that_is_not_read_to_its_end_gives_its_place_back():
    async with pooled() as (client, transport, url):
        for _ in range(3):
            async with client.stream("GET", url):
                pass
        await unharmed(client, transport, url)


async def test_a_request_that_fails_gives_its_place_back():
    async with pooled() as (client, transport, url):
        for _ in range(3):
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get("ftp://127.0.0.1/")
        await unharmed(client, transport, url)


class Deaf(httpx.AsyncBaseTransport):
    """Tells nothing of its steps and answers late, or never."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.cancelled = False
        self.closed = []

    async def handle_async_request(self, request):
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return httpx.Response(200, stream=self)

    async def aclose(self):
        self.closed.append("transport")


class Body(httpx.AsyncByteStream):
    def __init__(self, closed):
        self.closed = closed

    async def __aiter__(self):
        yield b"ok"

    async def aclose(self):
        self.closed.append("body")


async def test_an_answer_that_nobody_waits_for_any_more_is_closed():
    inner = Deaf()
    transport = PooledTransport(inner, places=1)

    async def answering(request):
        await inner.gate.wait()
        return httpx.Response(200, stream=Body(inner.closed))

    inner.handle_async_request = answering
    task = asyncio.create_task(transport.handle_async_request(httpx.Request("GET", "http://x")))
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert transport._places.locked()
    inner.gate.set()
    await settle()
    assert inner.closed == ["body"]
    assert not transport._places.locked()


async def test_closing_stops_what_callers_have_left_behind():
    inner = Deaf()
    transport = PooledTransport(inner, places=1)
    task = asyncio.create_task(transport.handle_async_request(httpx.Request("GET", "http://x")))
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert not inner.cancelled
    await transport.aclose()
    assert inner.cancelled
    assert inner.closed == ["transport"]
