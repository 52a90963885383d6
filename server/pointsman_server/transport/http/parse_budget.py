"""Bounds the time that parsing HTTP takes of the event loop in one iteration.

An event loop hands over 256 KiB at once, and uvloop up to 32 times in a row. h11 takes half a
second for 256 KiB in chunks of one byte, before any token is seen. Bytes are therefore read in
pieces, and all connections share a budget for each iteration.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

READ_BYTES = 2 * 1024
"""Bytes of one piece; those of chunks of one byte take 3 ms."""
BUDGET_SECONDS = 0.002
"""Seconds of an iteration after which further pieces wait for the next one."""


class ParseBudget:
    """The pieces of all connections, parsed in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[partial[None]] = deque()
        self._spent = 0.0
        self._running = False

    def take(self, parse: partial[None]) -> bool:
        """Run `parse` now, if there is time in this iteration, or later; whether it has run."""
        if self._waiting or self._spent >= BUDGET_SECONDS:
            self._waiting.append(parse)
            return False
        self._run(parse)
        return True

    def _run(self, parse: partial[None]) -> None:
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_soon(self._next)
        began = time.perf_counter()
        try:
            parse()
        finally:
            self._spent += time.perf_counter() - began

    def _next(self) -> None:
        """Begin the next iteration, and parse waiting pieces."""
        self._spent = 0.0
        self._running = bool(self._waiting)
        if self._running:
            asyncio.get_running_loop().call_soon(self._next)
        while self._waiting and self._spent < BUDGET_SECONDS:
            self._run(self._waiting.popleft())


class BudgetedReads(asyncio.BufferedProtocol):
    """Passes everything on to `protocol`, bytes in pieces and within the budget."""

    def __init__(self, protocol: H11Protocol, budget: ParseBudget) -> None:
        self._protocol = protocol
        self._budget = budget
        self._buffer = memoryview(bytearray(READ_BYTES))  # ssl writes into slices of it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._protocol.connection_made(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._protocol.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes are put."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse the first `nbytes` of the buffer, and read no more until that is done."""
        piece = bytes(self._buffer[:nbytes])
        if not self._budget.take(partial(self._parse, piece)) and not self._transport.is_closing():
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._protocol.resume_writing()

    def _parse(self, piece: bytes) -> None:
        if self._transport.is_closing():
            return
        self._protocol.data_received(piece)
        # uvicorn pauses too, while a body waits for the application, and resumes by itself.
        if not (self._transport.is_closing() or self._protocol.flow.read_paused):
            self._transport.resume_reading()
