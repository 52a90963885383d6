"""Engine `morph` over real sockets: what a server can do to a client."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct

import pytest
from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.errors import EngineFailed
from pointsman_server.engines.remote.client import build_client
from support.builders import SONNET, query
from support.fakes import FakeClock, settle
from support.loop_watch import watching
from support.remote import morph_engine

SAYS_SONNET = b'{"model": "claude-sonnet-4-6"}'
FOR_EVER = 3_600


def response(body=SAYS_SONNET, *, status="200 OK", headers="", length=None):
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body) if length is None else length}\r\n"
    return f"{head}{headers}\r\n".encode() + body


class Morph:
    """A server that does to each request what `behaviour` does to its reader and writer."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.heads = []
        self.asked = asyncio.Event()
        self.connections = 0
        self._tasks = set()

    async def serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode().lower())
                length = int(self.heads[-1].split("content-length: ")[1].split("\r\n")[0])
                await reader.readexactly(length)
                self.asked.set()
                await self.behaviour(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            # Not closed, which would wait for a client that does not read.
            writer.transport.abort()
            self._tasks.discard(task)

    async def stop(self):
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await settle()


@contextlib.asynccontextmanager
async def asking(behaviour, *, clock=None, **rules):
    """The engine over a real client, and the server that it asks."""
    morph = Morph(behaviour)
    server = await asyncio.start_server(morph.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    given = MorphRules(**{"url": f"http://127.0.0.1:{port}", "timeout": 30.0, **rules})
    try:
        async with build_client(given) as client:
            yield morph_engine(client, rules=given, clock=clock or FakeClock()), morph
    finally:
        # Before, what a client that gave up early has left is accepted: a server that closes
        # meanwhile would drop it unclosed.
        await settle()
        server.close()
        await morph.stop()
        await server.wait_closed()


async def stage(engine, asked=None):
    with pytest.raises(EngineFailed) as caught:
        await engine.decide(asked or query())
    return caught.value.failure.stage


async def answers(_morph, writer):
    writer.write(response())


async def stalls(_morph, _writer):
    await asyncio.sleep(FOR_EVER)


async def stalls_in_its_head(_morph, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    await asyncio.sleep(FOR_EVER)


async def stalls_in_its_body(_morph, writer):
    writer.write(response(SAYS_SONNET[:-1], length=len(SAYS_SONNET)))
    await asyncio.sleep(FOR_EVER)


async def drips(_morph, writer):
    """Never still for as long as a time-out between two bytes, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.005)


async def floods(_morph, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        await writer.drain()


async def announces_too_much(_morph, writer):
    writer.write(response(b" " * 70_000, length=10**12))
    await asyncio.sleep(FOR_EVER)


async def compresses(_morph, writer):
    body = gzip.compress(SAYS_SONNET)
    writer.write(response(body, headers="content-encoding: gzip\r\n"))


async def resets(_morph, writer):
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def hangs_up(_morph, writer):
    writer.close()


async def hangs_up_in_its_body(_morph, writer):
    writer.write(response(SAYS_SONNET[:-1], length=len(SAYS_SONNET)))
    await writer.drain()
    writer.close()


async def speaks_another_tongue(_morph, writer):
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def redirects(morph, writer):
    port = writer.get_extra_info("sockname")[1]
    where = f"location: http://127.0.0.1:{port}/elsewhere\r\n"
    writer.write(response(b"", status="307 Temporary Redirect", headers=where))


async def refuses_at_length(_morph, writer):
    """An error whose body never ends is still told by its status."""
    writer.write(b"HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n")
    await asyncio.sleep(FOR_EVER)


async def test_an_answer_comes_back_and_the_connection_is_kept():
    async with asking(answers) as (engine, morph):
        found = [(await engine.decide(query())).model for _ in range(3)]
    assert found == [SONNET] * 3
    assert (morph.connections, len(morph.heads)) == (1, 3)


@pytest.mark.parametrize("behaviour", [stalls, stalls_in_its_head, stalls_in_its_body, drips])
async def test_a_server_that_does_not_come_to_an_end_is_a_timeout(behaviour):
    async with asking(behaviour, timeout=0.05) as (engine, _):
        assert await stage(engine) == "timeout"


@pytest.mark.parametrize("behaviour", [stalls, stalls_in_its_body, drips])
async def test_a_server_slower_than_the_callers_deadline_is_a_deadline(behaviour):
    clock = FakeClock()
    async with asking(behaviour, clock=clock) as (engine, _):
        soon = clock.monotonic() + 0.08
        assert await stage(engine, query(deadline=soon)) == "deadline"


@pytest.mark.parametrize("behaviour", [floods, announces_too_much, compresses])
async def test_a_body_too_long_or_unfoldable_is_an_invalid_response(behaviour):
    async with asking(behaviour) as (engine, _):
        assert await stage(engine) == "invalid_response"


@pytest.mark.parametrize(
    "behaviour", [resets, hangs_up, hangs_up_in_its_body, speaks_another_tongue]
)
async def test_a_connection_that_breaks_is_a_fetch_and_not_tried_again(behaviour):
    async with asking(behaviour) as (engine, morph):
        assert await stage(engine) == "fetch"
    assert len(morph.heads) == 1


async def test_a_redirect_is_not_followed():
    async with asking(redirects) as (engine, morph):
        assert await stage(engine) == "http_307"
    assert len(morph.heads) == 1


async def test_an_error_is_told_without_waiting_for_its_body():
    async with asking(refuses_at_length) as (engine, _):
        assert await stage(engine) == "http_503"


async def test_a_port_where_nobody_listens_is_a_fetch():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with asking(answers, url=url) as (engine, _):
            assert await stage(engine) == "fetch"


async def test_a_name_that_does_not_resolve_is_a_fetch(monkeypatch):
    def nowhere(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with asking(answers, url="http://morph.invalid") as (engine, _):
        monkeypatch.setattr(socket, "getaddrinfo", nowhere)
        assert await stage(engine) == "fetch"


async def test_a_call_that_is_given_up_lets_go_of_its_connection():
    async with asking(stalls_in_its_body, max_connections=1) as (engine, morph):
        for _ in range(3):
            soon = FakeClock().monotonic() + 0.08
            assert await stage(engine, query(deadline=soon)) == "deadline"
        morph.behaviour = answers
        assert (await engine.decide(query())).model == SONNET


async def test_a_cancelled_call_lets_go_of_its_connection():
    async with asking(stalls, max_connections=1) as (engine, morph):
        task = asyncio.create_task(engine.decide(query()))
        await morph.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        morph.behaviour = answers
        assert (await engine.decide(query())).model == SONNET


async def test_a_call_for_which_there_is_no_connection_waits_no_longer_than_its_caller():
    async with asking(stalls, max_connections=1) as (engine, morph):
        holder = asyncio.create_task(engine.decide(query()))
        await morph.asked.wait()
        soon = FakeClock().monotonic() + 0.08
        assert await stage(engine, query(deadline=soon)) == "deadline"
        assert morph.connections == 1
        holder.cancel()
        await asyncio.wait([holder])


async def test_after_a_failure_of_any_kind_the_next_answer_comes_back():
    async with asking(resets) as (engine, morph):
        for behaviour in (resets, hangs_up_in_its_body, floods, speaks_another_tongue):
            morph.behaviour = behaviour
            await stage(engine)
            morph.behaviour = answers
            assert (await engine.decide(query())).model == SONNET


async def test_what_the_server_sets_as_a_cookie_is_not_sent_back():
    """A cookie would tie the requests of different people to each other."""

    async def sets_a_cookie(_morph, writer):
        writer.write(response(headers="set-cookie: canary=1; path=/\r\n"))

    async with asking(sets_a_cookie) as (engine, morph):
        for _ in range(2):
            await engine.decide(query())
    assert len(morph.heads) == 2
    assert not any("canary" in head for head in morph.heads)


OK_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(SAYS_SONNET), SAYS_SONNET)
ENDLESS = {
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    "other interim responses": (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 2_000),
    "header fields": (b"HTTP/1.1 200 OK\r\n", b"x: a\r\n" * 5_000),
    "a reason": (b"HTTP/1.1 200 ", b"a" * 65_536),
    "blank lines": (b"", b"\r\n" * 30_000),
    "trailers": (OK_CHUNKED + CHUNK + b"0\r\n", b"x: a\r\n" * 5_000),
    "a chunk's extension": (OK_CHUNKED + b"1e;x=", b"a" * 65_536),
    "chunks of one byte": (OK_CHUNKED, b"1\r\n \r\n" * 10_000),
    "empty responses": (b"", b"HTTP/1.1 204 No Content\r\n\r\n" * 2_000),
    "a body that is not read": (
        b"HTTP/1.1 503 No\r\ncontent-length: 9999999\r\n\r\n",
        b"a" * 65_536,
    ),
    "another protocol": (
        b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"a" * 65_536,
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_has_no_end_costs_little_time_and_stalls_nobody(kind):
    first, more = ENDLESS[kind]

    async def floods(_morph, writer):
        writer.write(first)
        while not writer.transport.is_closing():
            writer.write(more)
            await writer.drain()

    async with asking(floods) as (engine, _):
        with watching() as watch:
            async with asyncio.timeout(20):
                found = await stage(engine)
    assert found in {"invalid_response", "fetch", "http_503", "http_101"}
    assert watch.longest < 200, watch.what
