"""Calls that are opened and send no request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from chaos.parts import frames

from support.http2 import (
    SETTINGS,
    RawConnection,
)


@contextlib.asynccontextmanager
async def promises(path: str, count: int, port: int) -> AsyncIterator[None]:
    """Calls that are open inside the block, and whose request never comes."""
    async with RawConnection(port) as connection:
        connection.greet()
        await connection.frame(SETTINGS)
        for number in range(count):
            block = frames.block(path=path)
            connection.send(
                frames.frame(frames.HEADERS, block, flags=frames.END_HEADERS, stream=2 * number + 1)
            )
        yield


# ---------------------------------------------------------------- before expansion, before trust


CHECK = "/grpc.health.v1.Health/Check"
