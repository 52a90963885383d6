"""Fallback for blocking calls and plain iterators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pointsman_client.error_kinds import UnusableResponse, kind_of
from pointsman_client.events import FallbackEvents, telling
from pointsman_client.fallback.attempts import AttemptSequence
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")
BlockingCall = Callable[[Attempt], Answer]
BlockingStreamCall = Callable[[Attempt], Iterable[Chunk]]


def run_attempts(
    route: ResolvedRoute,
    call: BlockingCall[Answer],
    *,
    runs: RunAffinity,
    deadline: float | None,
) -> Answer:
    """Return the answer of the first attempt that gives one; errors as in the async form.

    After `deadline`, on the monotonic clock, no further attempt is made. A blocking call cannot
    be cut off: it bounds itself.
    """
    with telling(route.purpose) as events:
        attempts = AttemptSequence(route, runs=runs, events=events)
        for attempt in attempts:
            try:
                answer = _attempted(attempt, call, events=events, number=attempts.number)
            except Exception as error:
                over = deadline is not None and time.monotonic() >= deadline
                if not attempts.goes_on_after(error, attempt, out_of_time=over):
                    raise
            else:
                attempts.succeeded(attempt)
                return answer
    raise AssertionError("the last attempt neither answered nor raised")


def stream_attempts(
    route: ResolvedRoute,
    call: BlockingStreamCall[Chunk],
    *,
    runs: RunAffinity,
    deadline: float | None,
) -> Iterator[Chunk]:
    """Yield the chunks of the first attempt whose first chunk arrives; see the async form."""
    stream = run_attempts(route, lambda attempt: _open(call(attempt)), runs=runs, deadline=deadline)
    try:
        yield stream.first
        yield from stream.rest
    finally:
        _close(stream.rest, stream.source)


@dataclass(frozen=True, slots=True)
class _Opened(Generic[Chunk]):
    """A stream whose first chunk has arrived; `source` is the result of the call."""

    first: Chunk
    rest: Iterator[Chunk]
    source: Iterable[Chunk]


def _open(source: Iterable[Chunk]) -> _Opened[Chunk]:
    if not isinstance(source, Iterable):
        raise TypeError(f"the call answered {type(source).__name__}, not an iterable")
    rest = iter(source)
    try:
        return _Opened(next(rest), rest, source)
    except BaseException as error:
        _close(rest, source)
        if isinstance(error, StopIteration):
            raise UnusableResponse("the stream ended before its first chunk") from None
        raise


def _attempted(
    attempt: Attempt, call: BlockingCall[Answer], *, events: FallbackEvents, number: int
) -> Answer:
    with events.attempt(attempt, number=number) as span:
        try:
            answer = call(attempt)
        except Exception as error:
            span.failed(kind_of(error) or type(error).__name__)
            raise
    if isinstance(answer, Iterator):
        _close(answer)
        raise TypeError(
            "the call answered a stream, whose errors come later: use stream_with_fallback"
        )
    return answer


def _close(*streams: Any) -> None:
    for stream in streams:
        close = getattr(stream, "close", None)
        if callable(close):
            close()
