"""Peers that abuse the HTTP listener and the metrics port: others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from chaos.parts.callers import DECIDE, HTTP, RAW, HttpCaller, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Peak
from chaos.parts.serving import policy
from chaos.parts.trial import trial
from e2e.parts.pointsman import Service, pointsman_serve
from support.ports import free_port

PEERS = 200
IDLE = 64
"""More than the metrics port had threads for."""
DRIP = 0.5
"""Seconds between two bytes of a slow peer."""
BOMBS = 8
MOST_GROWTH = 64 * MB
_HOST = b"Host: localhost\r\nContent-Type: application/json\r\n"
_POST = b"POST " + DECIDE.encode() + b" HTTP/1.1\r\n" + _HOST


@dataclass(frozen=True)
class Listening:
    """A service with an HTTP listener."""

    service: Service
    port: int


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    port = free_port()
    environment = {"POINTSMAN_HTTP_LISTEN": f"127.0.0.1:{port}"}
    folder = tmp_path_factory.mktemp("http")
    with pointsman_serve(folder, policy=policy(), environment=environment) as running:
        yield Listening(running, port)


class Peers:
    """Connections that say something and then one byte now and then, until they are closed."""

    def __init__(self, port: int, said: bytes, *, count: int, drips: bytes = b"") -> None:
        self._port = port
        self._said = said
        self._count = count
        self._drips = drips
        self._sockets: list[socket.socket] = []
        self.answers: Counter[str] = Counter()
        """The first line of what came back."""

    def open(self) -> None:
        for _ in range(self._count):
            connected = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            connected.sendall(self._said)
            connected.setblocking(False)
            self._sockets.append(connected)

    async def drip(self) -> None:
        while True:
            await asyncio.sleep(DRIP)
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.send(self._drips)

    def close(self) -> None:
        for each in self._sockets:
            try:
                answer = each.recv(4_096).partition(b"\r\n")[0].decode("latin-1") or "closed"
            except BlockingIOError:
                answer = "open"
            except OSError:
                answer = "reset"
            self.answers[answer] += 1
            each.close()

    @contextlib.asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        """They are there while the block runs."""
        await asyncio.to_thread(self.open)
        dripping = asyncio.create_task(self.drip()) if self._drips else None
        try:
            yield
        finally:
            if dripping is not None:
                dripping.cancel()
                await asyncio.wait({dripping})
            self.close()


def _bomb() -> bytes:
    packed = gzip.compress(bytes(64 * MB), compresslevel=9)
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    return _POST + head.encode() + packed


def _long_head() -> bytes:
    return _POST + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1_000) for i in range(256))


ABUSES: dict[str, tuple[str, Callable[[int], Peers]]] = {
    "slow heads": (
        f"{PEERS} connections that send a head at 2 bytes/s",
        lambda port: Peers(port, _POST + b"X-Slow: ", count=PEERS, drips=b"x"),
    ),
    "slow bodies": (
        f"{PEERS} requests of 3 MiB whose body comes at 2 bytes/s",
        lambda port: Peers(
            port, _POST + b"Content-Length: 3145728\r\n\r\n", count=PEERS, drips=b" "
        ),
    ),
    "silence": (
        f"{PEERS} connections that say nothing",
        lambda port: Peers(port, b"", count=PEERS),
    ),
    "heads over the limit": (
        f"{PEERS} heads of 256 KiB",
        lambda port: Peers(port, _long_head(), count=PEERS),
    ),
    "compressed bombs": (
        f"{BOMBS} bodies of 64 MiB in 65 KB",
        lambda port: Peers(port, _bomb(), count=BOMBS),
    ),
    "pipelined requests": (
        f"{PEERS // 4} connections with 100 requests each, and nobody reads the answers",
        lambda port: Peers(
            port,
            (_POST + b"Content-Length: 2\r\n\r\n{}") * 100,
            count=PEERS // 4,
        ),
    ),
}


@pytest.mark.parametrize("abuse", ABUSES)
async def test_abuse_of_the_http_listener_leaves_it_serving(
    abuse: str, listening: Listening, ledger: Ledger, pace: Pace
) -> None:
    done, made = ABUSES[abuse]
    peers = await asyncio.to_thread(made, listening.port)
    peak = Peak(listening.service.program.child.pid)
    async with RawCaller(listening.service.address) as raw:
        judge = raw.judge
    async with HttpCaller(f"http://127.0.0.1:{listening.port}", judge) as caller:
        phases = await trial(caller.ask, pace=pace, fault=peers.there())
    answers = ", ".join(f"{said} {count}" for said, count in sorted(peers.answers.items()))
    ledger.add(
        Row(
            fault=f"HTTP: {abuse}",
            done=done,
            load=HTTP,
            phases=phases,
            besides=f"{answers}; RSS {peak.growth / MB:+.1f} MB at its peak",
        )
    )
    assert peak.growth < MOST_GROWTH


async def test_idle_sockets_hold_up_no_scrape(
    listening: Listening, ledger: Ledger, pace: Pace
) -> None:
    metrics = httpx.URL(listening.service.metrics_url)
    assert metrics.port is not None
    peers = Peers(metrics.port, b"", count=IDLE)
    scrapes: Counter[int] = Counter()

    @contextlib.asynccontextmanager
    async def scraped() -> AsyncIterator[None]:
        async def scrape() -> None:
            while True:
                async with httpx.AsyncClient(timeout=10) as client:
                    scrapes[(await client.get(metrics)).status_code] += 1
                await asyncio.sleep(0.05)

        async with peers.there():
            scraping = asyncio.create_task(scrape())
            yield
            scraping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await scraping

    async with RawCaller(listening.service.address) as caller:
        phases = await trial(caller.ask, pace=pace, fault=scraped())
    ledger.add(
        Row(
            fault="metrics port: idle sockets",
            done=f"{IDLE} connections that say nothing, and a scrape every 50 ms",
            load=RAW,
            phases=phases,
            besides=f"{scrapes[200]} of {scrapes.total()} scrapes answered",
        )
    )
    assert set(scrapes) == {200}
