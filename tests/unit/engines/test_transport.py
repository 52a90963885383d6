"""The transport under engine `morph`, over real sockets: callers that leave, servers that lie."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.engines.remote.transport import KeptAliveTransport
from support.fakes import settle
from support.loop_watch import watching

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
ANSWER = HEAD + b"ok"
# More than a whole exchange takes on a connection of its own, counted in turns of the event loop.
TURNS = 40


class Upstream:
    """Answers each request with the next of `says`, the last one for ever.

    Bytes are written; `None` hangs up instead; a function gets the writer.
    """

    def __init__(self, *says):
        self.says = list(says) or [ANSWER]
        self.connections = 0
        self.requests = []
        self.open = set()

    async def serve(self, reader, writer):
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
        ):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
                if said is None:
                    break
                if callable(said):
                    await said(writer)
                else:
                    writer.write(said)
        self.open.discard(writer)
        writer.transport.abort()

    def hang_up(self):
        for writer in self.open:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(*says, **given):
    """A transport, the server behind it and where to send requests."""
    upstream = Upstream(*says)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with KeptAliveTransport(**{"connections": 1, **given}) as transport:
            yield transport, upstream, url
    finally:
        await settle()
        upstream.hang_up()
        server.close()
        await server.wait_closed()
        await settle()


async def got(transport, url, *, method="POST"):
    """Status and whole body."""
    response = await transport.handle_async_request(httpx.Request(method, url))
    try:
        return response.status_code, await response.aread()
    finally:
        await response.aclose()


async def left_after(turns, transport, url):
    """Ask, and leave after so many turns of the event loop; whether the answer came before."""
    task = asyncio.create_task(got(transport, url))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return not task.cancelled()


async def unharmed(transport, url, *, connections=1):
    """As many are served at once as ever."""
    async with asyncio.timeout(30):
        found = await asyncio.gather(*(got(transport, url) for _ in range(connections)))
    assert found == [(200, b"ok")] * connections


# ---------------------------------------------------------------- callers that leave


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept connection"])
async def test_a_caller_may_leave_at_any_step_and_the_next_one_is_served(warm):
    answered = []
    for turns in range(TURNS):
        async with listening() as (transport, _, url):
            if warm:
                await got(transport, url)
            answered.append(await left_after(turns, transport, url))
            await unharmed(transport, url)
    # All of the way was walked.
    assert (answered[0], answered[-1]) == (False, True)


@settings(max_examples=25)
@given(st.lists(st.integers(0, TURNS), min_size=1, max_size=20), st.integers(1, 3))
def test_many_callers_may_leave_while_they_wait_for_each_other(leaving, connections):
    async def live():
        async with listening(connections=connections) as (transport, _, url):
            await asyncio.gather(*(left_after(turns, transport, url) for turns in leaving))
            await unharmed(transport, url, connections=connections)

    asyncio.run(live())


async def test_a_response_that_is_not_read_to_its_end_gives_its_place_back_and_is_not_reused():
    async with listening(HEAD, ANSWER) as (transport, upstream, url):
        response = await transport.handle_async_request(httpx.Request("POST", url))
        await response.aclose()
        await unharmed(transport, url)
    assert upstream.connections == 2


async def test_a_request_that_fails_gives_its_place_back():
    async with listening() as (transport, _, url):
        for _ in range(3):
            with pytest.raises(httpx.UnsupportedProtocol):
                await got(transport, "ftp://127.0.0.1/")
        await unharmed(transport, url)


# ---------------------------------------------------------------- connections


async def test_one_connection_serves_one_request_after_the_other():
    async with listening() as (transport, upstream, url):
        for _ in range(50):
            await got(transport, url)
    assert (upstream.connections, len(upstream.requests)) == (1, 50)


async def test_no_more_connections_are_open_than_configured():
    async with listening(connections=2) as (transport, upstream, url):
        found = await asyncio.gather(*(got(transport, url) for _ in range(20)))
    assert found == [(200, b"ok")] * 20
    assert upstream.connections == 2


async def test_a_kept_connection_that_the_server_closed_meanwhile_is_not_used_again():
    async with listening() as (transport, upstream, url):
        await got(transport, url)
        upstream.hang_up()
        await settle()
        assert await got(transport, url) == (200, b"ok")
    assert (upstream.connections, len(upstream.requests)) == (2, 2)


async def test_a_kept_connection_that_breaks_as_it_is_used_again_is_replaced_once():
    async with listening(ANSWER, None, ANSWER) as (transport, upstream, url):
        await got(transport, url)
        assert await got(transport, url) == (200, b"ok")
    assert (upstream.connections, len(upstream.requests)) == (2, 3)


async def test_a_server_that_always_hangs_up_is_asked_no_more_than_once_again():
    async with listening(ANSWER, None) as (transport, upstream, url):
        await got(transport, url)
        with pytest.raises(httpx.ReadError):
            await got(transport, url)
    assert len(upstream.requests) == 3


async def test_kept_connections_that_all_break_as_they_are_used_again_cost_one_request_only():
    async def hangs_up_on_the_used(writer):
        if writer in served:
            writer.transport.abort()
        else:
            served.add(writer)
            writer.write(ANSWER)

    served = set()
    async with listening(hangs_up_on_the_used, connections=4) as (transport, upstream, url):
        await unharmed(transport, url, connections=4)
        assert await got(transport, url) == (200, b"ok")
    # Four that became kept, the one of them that was tried, and a new one.
    assert (upstream.connections, len(upstream.requests)) == (5, 6)


async def test_a_new_connection_that_breaks_is_not_tried_again():
    async with listening(None) as (transport, upstream, url):
        with pytest.raises(httpx.ReadError):
            await got(transport, url)
    assert len(upstream.requests) == 1


async def test_a_connection_that_breaks_within_an_answer_is_not_tried_again():
    async def breaks(writer):
        writer.write(HEAD + b"o")
        await writer.drain()
        writer.transport.abort()

    async with listening(ANSWER, breaks) as (transport, upstream, url):
        await got(transport, url)
        with pytest.raises(httpx.ReadError):
            await got(transport, url)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("retries", [0, 2])
async def test_connecting_is_tried_again_as_often_as_configured(monkeypatch, retries):
    tried = []

    async def refused(*_, **__):
        tried.append(1)
        raise ConnectionRefusedError

    async with listening(connect_retries=retries) as (transport, _, url):
        monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", refused)
        with pytest.raises(httpx.ConnectError):
            await got(transport, url)
    assert len(tried) == 1 + retries


# ---------------------------------------------------------------- servers that lie


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
    ids=["another protocol", "no status", "two lengths", "a negative length", "a long header"],
)
async def test_an_answer_that_is_none_is_an_error_of_httpx(said):
    async with listening(said, ANSWER) as (transport, _, url):
        with pytest.raises(httpx.TransportError):
            await got(transport, url)
        await unharmed(transport, url)


async def test_a_head_without_end_is_refused_before_it_fills_the_memory():
    async def boasts(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x-header: " + b"a" * 4_000 + b"\r\n")
            await writer.drain()

    async with listening(boasts) as (transport, _, url):
        async with asyncio.timeout(30):
            with pytest.raises(httpx.DecodingError):
                await got(transport, url)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_few_interim_responses_are_skipped():
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"
    async with listening(CONTINUE * 3 + early + ANSWER, ANSWER) as (transport, upstream, url):
        assert await got(transport, url) == (200, b"ok")
        assert await got(transport, url) == (200, b"ok")
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "endless",
    [CONTINUE, b"HTTP/1.1 103 Early Hints\r\nx: " + b"a" * 4_000 + b"\r\n\r\n"],
    ids=["100", "103"],
)
async def test_interim_responses_without_end_are_refused_after_a_few(endless):
    written = 0

    async def floods(writer):
        nonlocal written
        while not writer.transport.is_closing():
            writer.write(endless * 1_000)
            written += len(endless) * 1_000
            await writer.drain()

    async with listening(floods) as (transport, _, url):
        async with asyncio.timeout(30):
            with pytest.raises(httpx.DecodingError):
                await got(transport, url)
    # What the sockets took before the connection was closed.
    assert written < 30_000_000


async def test_interim_responses_that_drip_are_refused_too():
    async def drips(writer):
        while not writer.transport.is_closing():
            writer.write(CONTINUE)
            await asyncio.sleep(0.001)

    async with listening(drips) as (transport, _, url):
        async with asyncio.timeout(30):
            with pytest.raises(httpx.DecodingError):
                await got(transport, url)


async def test_interim_responses_without_end_stall_nobody():
    async def bursts(writer):
        writer.write(burst)
        await writer.drain()

    burst = CONTINUE * 100_000
    async with listening(bursts) as (transport, _, url):
        with watching() as watch, pytest.raises(httpx.DecodingError):
            await got(transport, url)
    assert watch.longest < 50, watch.what


async def test_a_body_that_nobody_reads_is_not_taken_in():
    written = 0

    async def floods(writer):
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
        for _ in range(3_000):
            writer.write(b" " * 65_536)
            written += 65_536
            await writer.drain()

    async with listening(floods) as (transport, _, url):
        response = await transport.handle_async_request(httpx.Request("POST", url))
        for _ in range(200):
            await asyncio.sleep(0)
        # What the sockets hold of it, and no more.
        assert written < 30_000_000
        await response.aclose()


async def test_bytes_after_the_end_of_an_answer_never_reach_the_next_caller():
    async with listening(ANSWER + b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", ANSWER) as (
        transport,
        _,
        url,
    ):
        assert await got(transport, url) == (200, b"ok")
        with contextlib.suppress(httpx.TransportError):
            assert await got(transport, url) == (200, b"ok")
        await unharmed(transport, url)


async def test_an_error_quotes_no_address(caplog):
    async with listening(None) as (transport, _, url):
        with pytest.raises(httpx.ReadError) as caught:
            await got(transport, url)
    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.__suppress_context__


# ---------------------------------------------------------------- what is sent where


async def test_the_environment_names_no_proxy(monkeypatch):
    async with listening() as (transport, upstream, url):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        await got(transport, url)
    assert len(upstream.requests) == 1


async def test_what_is_sent_is_what_the_request_says_and_a_body_once():
    async with listening() as (transport, upstream, url):
        request = httpx.Request("POST", f"{url}/a%20b?c=d", headers={"x-a": "b"}, content=b"body")
        await (await transport.handle_async_request(request)).aclose()
    (head,) = upstream.requests
    first, *lines = head.decode().lower().split("\r\n")
    assert first == "post /a%20b?c=d http/1.1"
    assert {"x-a: b", "content-length: 4", f"host: {url.removeprefix('http://')}"} <= set(lines)
    assert not any(line.startswith("transfer-encoding") for line in lines)


@pytest.mark.parametrize("value", ["a\r\nx-b: c", "a\nx-b: c", "a\rb"])
async def test_a_header_of_several_lines_is_refused_unsent(value):
    async with listening() as (transport, upstream, url):
        request = httpx.Request("POST", url, headers={"x-a": value})
        with pytest.raises(httpx.UnsupportedProtocol):
            await transport.handle_async_request(request)
        assert upstream.connections == 0
        await unharmed(transport, url)


async def test_requests_to_several_hosts_go_where_they_say():
    async with (
        listening(connections=2) as (transport, first, url),
        listening() as (_, second, other),
    ):
        for each in (url, other, url):
            assert await got(transport, each) == (200, b"ok")
    line = f"host: {url.removeprefix('http://')}".encode()
    assert [line in head.lower().split(b"\r\n") for head in first.requests] == [True] * 2
    assert len(second.requests) == 1


def certificate(folder):
    """A certificate for `localhost` that vouches for itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-nodes", "-days", "2", "-keyout", key, "-out", cert]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(
    ("host", "trusted", "answered"),
    [("localhost", True, True), ("localhost", False, False), ("127.0.0.1", True, False)],
    ids=["known", "of an unknown authority", "for another name"],
)
async def test_a_certificate_is_verified(tmp_path, monkeypatch, host, trusted, answered):
    cert, key = certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        async with KeptAliveTransport(connections=1) as transport:
            if answered:
                assert await got(transport, url) == (200, b"ok")
            else:
                with pytest.raises(httpx.ConnectError):
                    await got(transport, url)
                assert upstream.requests == []
    finally:
        await settle()
        upstream.hang_up()
        server.close()
        await server.wait_closed()
        await settle()
