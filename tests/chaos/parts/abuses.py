"""Ways to abuse HTTP/2, what each of them really sent, and what that may cost the service."""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from chaos.parts import frames as h2
from chaos.parts.frames import Enemy, frame
from chaos.parts.judge import asking
from chaos.parts.processes import MB

CONNECTIONS = 8
AT_ONCE = 50
"""Frames that are sent before what came back is read."""
MESSAGE = asking("abuse").SerializeToString()

_PACKED = gzip.compress(bytes(4 * MB), compresslevel=9)
BOMB = b"\1" + struct.pack(">I", len(_PACKED)) + _PACKED
"""A message of four megabytes in four kilobytes."""

AROUND = 16 * MB
"""What a fresh service may grow by without any abuse: more code is loaded, caches fill."""
PER_CONNECTION = 32 * 1024
"""Bytes for one that says little; measured: 14 KB."""
PER_STREAM = 24 * 1024
"""Bytes for a call under way, in gRPC and in Python; measured: 20 KB, and 23 with its message."""
PER_PING, PER_SETTINGS, PER_CONTINUATION = 2_560, 256, 5 * 1024
"""Bytes for a frame that gRPC has read and not worked off; measured: 2.1 KB, 30 bytes, and 3.7 KB
for one with twenty fields. gRPC has no bound for these: what a peer sends fast costs as much."""
PER_LONG_HEADERS = 160 * 1024
"""Bytes for 64 KiB of headers, until they are refused; measured: 100 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What an abuse did: `count` of `things`, over so many connections."""

    things: str
    count: int
    connections: int = CONNECTIONS
    thrown_out: int = 0
    """Connections that the service closed."""
    at_once: int | None = None
    """How many of them the service takes at once of a connection, where it limits that."""

    def may_cost(self, each: int) -> int:
        """Bytes that the service may grow by at its peak where one of the things costs `each`."""
        most = self.count
        if self.at_once is not None:
            most = min(most, self.connections * self.at_once)
        return AROUND + self.connections * PER_CONNECTION + most * each

    def __str__(self) -> str:
        if self.count == self.connections:
            return f"{self.count:,} {self.things}"
        return f"{self.count:,} {self.things} over {self.connections} connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abuse:
    """What is done to the service on a port, again and again; who does it hangs on to the stack."""

    does: Callable[[int, int, contextlib.ExitStack], Sent]
    each: int = 0
    """Bytes that one of the things may cost while it is there."""


def _repeatedly(
    things: str,
    one: Callable[[int], bytes],
    *,
    each: int = PER_STREAM,
    share: int = 1,
    greeting: bytes = b"",
    listen: bool = True,
    streams: bool = False,
) -> Abuse:
    """Say `one(i)` again and again, over several connections that stay open; of things that are
    large only one in `share`.
    """

    def does(port: int, count: int, held: contextlib.ExitStack) -> Sent:
        enemies = [held.enter_context(Enemy(port)) for _ in range(CONNECTIONS)]
        for enemy in enemies:
            enemy.say(greeting)
        sent, step = 0, AT_ONCE // share
        for start in range(0, count // CONNECTIONS // share, step):
            said = b"".join(one(i) for i in range(start, start + step))
            sent += step * sum(enemy.say(said, listen=listen) for enemy in enemies)
        return Sent(
            things=things,
            count=sent,
            thrown_out=h2.thrown_out(enemies),
            at_once=h2.most_streams(port) if streams else None,
        )

    return Abuse(does=does, each=each)


def _once(things: str, *greetings: bytes, then: bytes = b"\0") -> Abuse:
    """Open a connection for each greeting, again and again; a little later say one thing more."""

    def does(port: int, count: int, held: contextlib.ExitStack) -> Sent:
        enemies = [
            held.enter_context(Enemy(port, greeting=greetings[i % len(greetings)]))
            for i in range(min(count // 5, 400))
        ]
        for enemy in enemies:
            enemy.say(then)
        number = len(enemies)
        out = h2.thrown_out(enemies)
        return Sent(things=things, count=number, connections=number, thrown_out=out)

    return Abuse(does=does)


def _noise(number: int) -> bytes:
    dice = random.Random(number)
    return frame(dice.randrange(256), dice.randbytes(40), flags=dice.randrange(256), stream=number)


def _long_headers(stream: int) -> bytes:
    """A call with 64 KiB of headers, in frames of the size that everybody takes."""
    whole = h2.block(*((f"x-{i}", "y" * 1_000) for i in range(64)))
    pieces = [whole[i : i + 16_000] for i in range(0, len(whole), 16_000)]
    last = len(pieces) - 1
    return b"".join(
        frame(h2.CONTINUATION if i else h2.HEADERS, piece, stream=stream,
              flags=h2.END_HEADERS if i == last else 0)
        for i, piece in enumerate(pieces)
    )  # fmt: skip


def _opened(path: str, stream: int, *more: tuple[str, str]) -> bytes:
    """A call of another method whose body is still to come."""
    return frame(h2.HEADERS, h2.block(*more, path=path), flags=h2.END_HEADERS, stream=stream)


def _stream(number: int) -> int:
    """A client's streams are odd."""
    return 2 * number + 1


_HELLO = h2.PREFACE + frame(h2.SETTINGS)
ABUSES: dict[str, Abuse] = {
    "bad preface": _once(
        "connections that begin with HTTP/1.1, TLS or zeros",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 64,
    ),
    "half a preface, then silence": _once(
        "connections that say ten bytes or nothing", h2.PREFACE[:10], b"", then=b""
    ),
    "half a preface, then something else": _once(
        "connections that break off the preface", h2.PREFACE[:10]
    ),
    "broken frames": _once(
        "connections with a broken frame each, of eight kinds",
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
        "calls with 64 KiB of headers",
        lambda i: _long_headers(_stream(i)),
        each=PER_LONG_HEADERS,
        share=AT_ONCE,
    ),
    "a flood of CONTINUATION": _repeatedly(
        "frames of 20 fields to headers without end",
        lambda _: frame(h2.CONTINUATION, b"\0\x01x\x01y" * 20, stream=1),
        greeting=frame(h2.HEADERS, h2.block(), stream=1),
        each=PER_CONTINUATION,
    ),
    "unfinished streams": _repeatedly(
        "calls without a body, held open", lambda i: h2.opened(_stream(i)), streams=True
    ),
    "streams that say nothing": _repeatedly(
        "streams of decisions, held open",
        lambda i: _opened("/pointsman.v1.RoutingService/StreamRouteDecisions", _stream(i)),
        streams=True,
    ),
    "watches of health": _repeatedly(
        "watches of health, held open",
        lambda i: (
            _opened("/grpc.health.v1.Health/Watch", _stream(i))
            + frame(h2.DATA, bytes(5), flags=h2.END_STREAM, stream=_stream(i))
        ),
        streams=True,
    ),
    "compressed messages": _repeatedly(
        "calls of health whose message is 4 MiB unpacked",
        lambda i: (
            _opened("/grpc.health.v1.Health/Check", _stream(i), ("grpc-encoding", "gzip"))
            + frame(h2.DATA, BOMB, flags=h2.END_STREAM, stream=_stream(i))
        ),
        streams=True,
    ),
    "rapid reset": _repeatedly(
        "calls, each reset at once",
        lambda i: (
            h2.opened(_stream(i)) + frame(h2.RST_STREAM, struct.pack(">I", 8), stream=_stream(i))
        ),
        streams=True,
    ),
    "a flood of PING": _repeatedly(
        "frames", lambda i: frame(h2.PING, struct.pack(">Q", i)), each=PER_PING
    ),
    "a flood of SETTINGS": _repeatedly(
        "frames",
        lambda i: frame(h2.SETTINGS, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, i)),
        each=PER_SETTINGS,
    ),
    "calls without a window": _repeatedly(
        "calls that let no answer through",
        lambda i: h2.call(_stream(i), MESSAGE),
        greeting=frame(h2.SETTINGS, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 0)),
        streams=True,
    ),
    "answers that nobody reads": _repeatedly(
        "calls", lambda i: h2.call(_stream(i), MESSAGE), listen=False, streams=True
    ),
}  # fmt: skip
