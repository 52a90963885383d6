"""One row's run: load before, during and after a fault."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from chaos.parts.figures import Pace
from support.load import Load, Phase

Act = Callable[[], Any]


async def trial(
    ask: Callable[[int], Awaitable[str | None]],
    *,
    pace: Pace,
    fault: AbstractAsyncContextManager[object],
    callers: int = 8,
) -> Mapping[str, Phase]:
    """The figures of `ask` under load; what it takes to break and to mend counts as `during`."""
    async with Load(ask, callers=callers) as load:
        await load.phase("before", pace.phase)
        load.begin("during")
        async with fault:
            await load.last(pace.phase)
        await load.phase("after", pace.phase)
    return load.phases


@contextlib.asynccontextmanager
async def acts(breaks: Act, mends: Act | None = None) -> AsyncIterator[None]:
    """A fault of two acts, which may be coroutines."""
    await _done(breaks)
    try:
        yield
    finally:
        if mends is not None:
            await _done(mends)


async def _done(act: Act) -> None:
    result = act()
    if inspect.isawaitable(result):
        await result
