"""HTTP/2 by hand, since a library would refuse to say what is wrong on purpose (RFC 9113, 7541)."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4
PATH = "/pointsman.v1.RoutingService/RouteDecision"
_PATIENCE = 5.0
_SOON = 0.3
"""Seconds that the service has to throw out whoever has said all."""


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame; nothing checks that it makes sense."""
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def block(*more: tuple[str, str], path: str = PATH) -> bytes:
    """A header block of a gRPC call, without compression."""
    fields = (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
        ("content-type", "application/grpc"), ("te", "trailers"), *more,
    )  # fmt: skip
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def call(stream: int, message: bytes) -> bytes:
    """A whole unary call."""
    body = b"\0" + struct.pack(">I", len(message)) + message
    return opened(stream) + frame(DATA, body, flags=END_STREAM, stream=stream)


def opened(stream: int) -> bytes:
    """A call whose body is still to come."""
    return frame(HEADERS, block(), flags=END_HEADERS, stream=stream)


def most_streams(port: int) -> int:
    """How many streams of a connection the service takes at once, as it says itself."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as asking:
        asking.sendall(PREFACE + frame(SETTINGS))
        with asking.makefile("rb") as said:
            # The first frame is that of its settings (RFC 9113, 3.4).
            head = said.read(9)
            assert head[3] == SETTINGS, head
            settings = dict(struct.iter_unpack(">HI", said.read(int.from_bytes(head[:3]))))
    return int(settings[MAX_CONCURRENT_STREAMS])


def _text(text: str) -> bytes:
    raw = text.encode()
    return _integer(len(raw), 7) + raw


def _integer(number: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if number < most:
        return bytes((number,))
    rest, out = number - most, bytearray((most,))
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    out.append(rest)
    return bytes(out)


class Enemy:
    """A connection that says whatever it likes until it is thrown out."""

    def __init__(self, port: int, *, greeting: bytes = PREFACE + frame(SETTINGS)) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self._incoming = select.poll()
        self._incoming.register(self._socket, select.POLLIN)
        self.thrown_out = False
        self.say(greeting)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def say(self, octets: bytes, *, listen: bool = True) -> bool:
        """Send, and read what has come meanwhile; whether anybody is still there."""
        if self.thrown_out:
            return False
        try:
            self._socket.sendall(octets)
            while listen and self._heard(0.0):
                pass
        except OSError:
            self.thrown_out = True
        return not self.thrown_out

    def hear_out(self, end: float) -> None:
        """Listen until it is thrown out or the monotonic clock says `end`."""
        with contextlib.suppress(OSError):
            while not self.thrown_out and self._heard(end - time.monotonic()):
                pass
            return
        self.thrown_out = True

    def _heard(self, patience: float) -> bool:
        # A socket with a timeout would wait for it, whatever the flags of the call.
        if not self._incoming.poll(max(0.0, patience) * 1_000):
            return False
        if not self._socket.recv(65_536):
            self.thrown_out = True
        return not self.thrown_out


def thrown_out(enemies: Sequence[Enemy]) -> int:
    """How many were thrown out, in the end or soon."""
    end = time.monotonic() + _SOON
    for enemy in enemies:
        enemy.hear_out(end)
    return sum(enemy.thrown_out for enemy in enemies)
