"""Fallback for coroutines and async streams."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pointsman_client.error_kinds import UnusableResponse, kind_of
from pointsman_client.events import FallbackEvents, telling
from pointsman_client.fallback.attempts import AttemptSequence
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")
Call = Callable[[Attempt], Awaitable[Answer]]
StreamCall = Callable[[Attempt], AsyncIterable[Chunk] | Awaitable[AsyncIterable[Chunk]]]


async def run_attempts(
    route: ResolvedRoute,
    call: Call[Answer],
    *,
    runs: RunAffinity,
    deadline: float | None,
    attempt_timeout: float | None,
) -> Answer:
    """Return the answer of the first attempt that gives one.

    `deadline` is on the loop's clock, `attempt_timeout` in seconds. Raises the last error, with
    all attempts attached; an error that is not eligible, and cancellation, are raised at once.
    Raises `NoAttempts`, and `TypeError` for a call that answers a stream.
    """
    with telling(route.purpose) as events:
        attempts = AttemptSequence(route, runs=runs, events=events)
        for attempt in attempts:
            until = _sooner(deadline, attempt_timeout)
            try:
                answer = await _attempted(
                    attempt, call, events=events, number=attempts.number, until=until
                )
            except Exception as error:
                over = deadline is not None and _now() >= deadline
                if not attempts.goes_on_after(error, attempt, out_of_time=over):
                    raise
            else:
                attempts.succeeded(attempt)
                return answer
    raise AssertionError("the last attempt neither answered nor raised")


async def stream_attempts(
    route: ResolvedRoute,
    call: StreamCall[Chunk],
    *,
    runs: RunAffinity,
    deadline: float | None,
    attempt_timeout: float | None,
) -> AsyncIterator[Chunk]:
    """Yield the chunks of the first attempt whose first chunk arrives.

    The bounds of `run_attempts` hold until that chunk; a stream that ends before it counts as
    `unusable_response`. Later errors are raised unchanged: yielded chunks cannot be taken
    back. Leaving the iteration closes the stream.
    """

    async def opened(attempt: Attempt) -> _Opened[Chunk]:
        return await _open(call(attempt))

    stream = await run_attempts(
        route, opened, runs=runs, deadline=deadline, attempt_timeout=attempt_timeout
    )
    try:
        yield stream.first
        async for chunk in stream.rest:
            yield chunk
    finally:
        await _close(stream.rest, stream.source)


@dataclass(frozen=True, slots=True)
class _Opened(Generic[Chunk]):
    """A stream whose first chunk has arrived."""

    first: Chunk
    rest: AsyncIterator[Chunk]
    source: AsyncIterable[Chunk]
    """The result of the call: an SDK's stream holds the connection, its iterator does not."""


async def _open(answer: AsyncIterable[Chunk] | Awaitable[AsyncIterable[Chunk]]) -> _Opened[Chunk]:
    source: Any = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(source, AsyncIterable):
        raise TypeError(f"the call answered {type(source).__name__}, not an async iterable")
    rest = aiter(source)
    try:
        return _Opened(await anext(rest), rest, source)
    except BaseException as error:
        await _close(rest, source)
        if isinstance(error, StopAsyncIteration):
            raise UnusableResponse("the stream ended before its first chunk") from None
        raise


async def _attempted(
    attempt: Attempt,
    call: Call[Answer],
    *,
    events: FallbackEvents,
    number: int,
    until: float | None,
) -> Answer:
    """Make one attempt inside its span; `until` is on the loop's clock."""
    with events.attempt(attempt, number=number) as span:
        try:
            async with asyncio.timeout_at(until):
                answer = await call(attempt)
        except Exception as error:
            span.failed(kind_of(error) or type(error).__name__)
            raise
    if isinstance(answer, AsyncIterator):
        await _close(answer)
        raise TypeError(
            "the call answered a stream, whose errors come later: use stream_with_fallback"
        )
    return answer


async def _close(*streams: Any) -> None:
    """Close generators and SDKs' streams; others have nothing to close."""
    for stream in streams:
        close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
        closed = close() if callable(close) else None
        if inspect.isawaitable(closed):
            await closed


def _sooner(deadline: float | None, timeout: float | None) -> float | None:
    ends = [t for t in (deadline, None if timeout is None else _now() + timeout) if t is not None]
    return min(ends) if ends else None


def _now() -> float:
    return asyncio.get_running_loop().time()
