"""An endpoint like Morph's that answers at once, which leaves the cost of a miss in the server.

python -m benchmarks.instant_morph PORT [WORD]

A request that contains the word is never answered. A GET returns the number of other requests.

Raw asyncio with no parsing beyond where a request ends, so that it costs a tenth of its
client. Stands for the far end in measurements only.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
from collections.abc import Iterator
from typing import Final

ANSWER: Final = json.dumps(
    {
        "model": "claude-opus-4-8",
        "difficulty": "hard",
        "confidence": 0.92,
        "ambiguity": "low",
        "ambiguity_confidence": 0.8,
        "domain": "coding",
        "domain_confidence": 0.97,
        "provider": "anthropic",
    }
).encode()
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Sun, 22 Nov 2026 00:00:00 GMT\r\n"
    b"content-length: %d\r\n\r\n"
)
_RESPONSE: Final = _HEAD % len(ANSWER) + ANSWER
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_END: Final = b"\r\n\r\n"


class InstantMorph(asyncio.Protocol):
    """One connection; requests on it may be pipelined. It hangs on those with this word."""

    def __init__(self, hangs_on: bytes, seen: Iterator[int]) -> None:
        """`seen` counts, over all connections."""
        self._hangs_on = hangs_on
        self._count = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen = b""

    def data_received(self, received: bytes) -> None:
        """Answer every request that is complete."""
        self._seen += received
        while (head := self._seen.find(_END)) >= 0:
            length = _LENGTH.search(self._seen, 0, head)
            end = head + len(_END) + (int(length[1]) if length else 0)
            if len(self._seen) < end:
                return
            hangs = self._hangs_on and self._hangs_on in self._seen[:end]
            asked = self._seen.startswith(b"GET ")
            self._seen = self._seen[end:]
            number = next(self._count)
            if asked:
                told = str(number - 1).encode()
                self._transport.write(_HEAD % len(told) + told)
            elif not hangs:
                self._transport.write(_RESPONSE)


async def main(port: int, hangs_on: str = "") -> None:
    """Serve until killed."""
    loop, seen = asyncio.get_running_loop(), itertools.count(1)
    word = hangs_on.encode()
    server = await loop.create_server(lambda: InstantMorph(word, seen), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
