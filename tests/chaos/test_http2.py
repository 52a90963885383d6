"""Peers that abuse HTTP/2: others are served meanwhile, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import pytest
from chaos.parts import frames as h2
from chaos.parts.callers import DEADLINE, RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.frames import Enemy, frame
from chaos.parts.judge import asking
from chaos.parts.processes import MB, Taken, connections
from chaos.parts.serving import policy
from chaos.parts.trial import trial
from e2e.parts.pointsman import Service, pointsman_serve
from pointsman_server.transport.limits import MESSAGE_BYTES
from support.eventually import eventually
from support.machine import program

CONNECTIONS = 8
AT_ONCE = 50
"""Frames that are sent before what came back is read."""
MOST_GROWTH = 96 * MB
MOST_PER_STREAM = 16 * 1024
"""Bytes that a stream may take while it is open; gRPC keeps freed ones for a while."""
SILENCE = 2
"""Seconds that a client waits for an answer which does not come."""
PATIENCE = 10.0
"""Seconds until what an attack left behind counts as kept for good."""
MESSAGE = asking("abuse").SerializeToString()

Abuse = Callable[[int, int, contextlib.ExitStack], int]
"""Port, how often, what to hold open -> how many connections were thrown out."""


def _repeatedly(one: Callable[[int], bytes], *, listen: bool = True) -> Abuse:
    """Say `one(i)` again and again, over several connections that stay open."""

    def abuse(port: int, count: int, held: contextlib.ExitStack) -> int:
        enemies = [held.enter_context(Enemy(port)) for _ in range(CONNECTIONS)]
        for start in range(0, count // CONNECTIONS, AT_ONCE):
            said = b"".join(one(i) for i in range(start, start + AT_ONCE))
            for enemy in enemies:
                enemy.say(said, listen=listen)
        return h2.thrown_out(enemies)

    return abuse


def _once(*greetings: bytes, then: bytes = b"\0") -> Abuse:
    """Open a connection for each greeting, again and again; a little later say one thing more."""

    def abuse(port: int, count: int, held: contextlib.ExitStack) -> int:
        enemies = [
            held.enter_context(Enemy(port, greeting=greetings[i % len(greetings)]))
            for i in range(min(count // 5, 400))
        ]
        for enemy in enemies:
            enemy.say(then)
        return h2.thrown_out(enemies)

    return abuse


def _noise(number: int) -> bytes:
    dice = random.Random(number)
    return frame(dice.randrange(256), dice.randbytes(40), flags=dice.randrange(256), stream=number)


_HELLO = h2.PREFACE + frame(h2.SETTINGS)
_stream = lambda i: 2 * i + 1  # noqa: E731  (a client's streams are odd)
ABUSES: dict[str, Abuse] = {
    "bad preface": _once(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 64),
    "half a preface, then silence": _once(h2.PREFACE[:10], b"", then=b""),
    "half a preface, then something else": _once(h2.PREFACE[:10]),
    "broken frames": _once(
        _HELLO + frame(h2.DATA, b"x", stream=0),
        _HELLO + frame(h2.HEADERS, b"\xff\x00", flags=h2.PADDED | h2.END_HEADERS, stream=1),
        _HELLO + frame(h2.SETTINGS, b"12345"),
        _HELLO + frame(h2.WINDOW_UPDATE, bytes(4)),
        _HELLO + frame(h2.HEADERS, b"\xff" * 30, flags=h2.END_HEADERS, stream=1),
        _HELLO + h2.opened(2),
        _HELLO + b"".join(_noise(i) for i in range(30)),
        _HELLO + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    ),
    "headers over the limit": _repeatedly(
        lambda i: _long_headers(_stream(i)) if i % AT_ONCE == 0 else b""
    ),
    "a flood of CONTINUATION": _repeatedly(
        lambda i: (
            frame(h2.CONTINUATION, b"\0\x01x\x01y" * 20, stream=1)
            if i
            else frame(h2.HEADERS, h2.block(), stream=1)
        )
    ),
    "unfinished streams": _repeatedly(lambda i: h2.opened(_stream(i))),
    "rapid reset": _repeatedly(
        lambda i: (
            h2.opened(_stream(i)) + frame(h2.RST_STREAM, struct.pack(">I", 8), stream=_stream(i))
        )
    ),
    "a flood of PING": _repeatedly(lambda i: frame(h2.PING, struct.pack(">Q", i))),
    "a flood of SETTINGS": _repeatedly(
        lambda i: frame(h2.SETTINGS, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, i))
    ),
    "calls without a window": _repeatedly(
        lambda i: (
            (b"" if i else frame(h2.SETTINGS, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 0)))
            + h2.call(_stream(i), MESSAGE)
        )
    ),
    "answers that nobody reads": _repeatedly(lambda i: h2.call(_stream(i), MESSAGE), listen=False),
}


def _long_headers(stream: int) -> bytes:
    """64 KiB of headers, in frames of the size that everybody takes."""
    whole = h2.block(*((f"x-{i}", "y" * 1_000) for i in range(64)))
    pieces = [whole[i : i + 16_000] for i in range(0, len(whole), 16_000)]
    last = len(pieces) - 1
    return b"".join(
        frame(h2.CONTINUATION if i else h2.HEADERS, piece, stream=stream,
              flags=h2.END_HEADERS if i == last else 0)
        for i, piece in enumerate(pieces)
    )  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pointsman_serve(tmp_path_factory.mktemp("http2"), policy=policy()) as running:
        yield running


async def _held_against(
    name: str, attack: Callable[[], object], service: Service, pace: Pace, done: str
) -> Row:
    """Load while `attack` goes on; then count what it left behind."""
    pid = service.program.child.pid
    port = int(service.address.rpartition(":")[2])
    async with RawCaller(service.address) as caller:
        before = Taken.by(pid)
        result: list[object] = []

        @contextlib.asynccontextmanager
        async def attacked() -> AsyncIterator[None]:
            result.append(await asyncio.to_thread(attack))
            yield

        phases = await trial(caller.ask, pace=pace, fault=attacked())
        # Every connection of the attack is gone; this caller's own is left.
        await eventually(lambda: connections(port) == 1, seconds=PATIENCE)
    growth = Taken.by(pid).rss - before.rss
    assert growth < MOST_GROWTH + pace.streams * MOST_PER_STREAM
    besides = f"{result[0]}; RSS {growth / MB:+.1f} MB; all connections closed"
    return Row(fault=f"HTTP/2: {name}", done=done, load=RAW, phases=phases, besides=besides)


@pytest.mark.parametrize("abuse", ABUSES)
async def test_abuse_leaves_the_service_serving(
    abuse: str, service: Service, ledger: Ledger, pace: Pace
) -> None:
    port = int(service.address.rpartition(":")[2])

    def attack() -> str:
        with contextlib.ExitStack() as held:
            thrown_out = ABUSES[abuse](port, pace.streams, held)
        return f"{thrown_out} connections thrown out"

    ledger.add(await _held_against(abuse, attack, service, pace, f"{pace.streams:,} times"))


@pytest.mark.needs("h2load")
async def test_lying_grpc_frames_leave_the_service_serving(
    tmp_path: Path, service: Service, ledger: Ledger, pace: Pace
) -> None:
    lie = tmp_path / "frame"
    # Promises a gigabyte.
    lie.write_bytes(b"\0" + struct.pack(">I", 1 << 30) + MESSAGE)
    command = [
        program("h2load", package="nghttp2-client"),
        "-n", str(pace.streams), "-c", "8", "-m", "32", "-d", str(lie),
        # gRPC answers no call that ends in the middle of its message: h2load has to leave.
        "-N", str(SILENCE), "-T", str(SILENCE),
        "-H", "content-type: application/grpc", "-H", "te: trailers",
        f"http://{service.address}{h2.PATH}",
    ]  # fmt: skip

    def attack() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return next(line for line in done.stdout.splitlines() if line.startswith("requests:"))

    done = f"{pace.streams:,} bodies that promise a gigabyte, by h2load"
    ledger.add(await _held_against("lying gRPC frames", attack, service, pace, done))


async def test_messages_over_the_limit_leave_the_service_serving(
    service: Service, ledger: Ledger, pace: Pace
) -> None:
    # gRPC reads a message whole before it looks at its size.
    message = bytes(MESSAGE_BYTES + 1)

    def attack() -> str:
        codes: Counter[str] = Counter()
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(service.address, options=options) as channel:
            for _ in range(4):
                with pytest.raises(grpc.RpcError) as refused:
                    channel.unary_unary(h2.PATH)(message, timeout=DEADLINE)
                codes[refused.value.code().name] += 1  # type: ignore[attr-defined]
        assert set(codes) == {"RESOURCE_EXHAUSTED"}
        return f"all {codes.total()} RESOURCE_EXHAUSTED"

    done = f"4 of {len(message) / MB:.0f} MiB"
    ledger.add(await _held_against("messages over the limit", attack, service, pace, done))
