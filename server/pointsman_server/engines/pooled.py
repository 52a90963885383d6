"""httpx's pooled transport, for callers that may leave at any moment.

httpcore 1.0 loses a place of its pool for good where a request is cancelled after it was given a
connection and before it sends anything (github.com/encode/httpcore/issues/1093), or while its
response is closed; once all places are lost, every call waits in vain. Deadlines and callers that
hang up cancel all the time. So a request runs in a task of its own, which is stopped only where
that does no harm, a response is closed in another, and nobody waits for a place inside of httpcore.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx

# httpcore's names of the steps after which it holds a connection that it would not give back.
_HOLDS = frozenset({"", "connection.connect_tcp.complete", "connection.start_tls.complete"})


class PooledTransport(httpx.AsyncBaseTransport):
    """Wraps a transport over httpcore with `places` connections; closing it stops everything."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, places: int) -> None:
        self._inner = inner
        self._places = asyncio.Semaphore(places)
        self._left: set[asyncio.Task[Any]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, its body unread. Cancelling is safe before, meanwhile and after."""
        await self._places.acquire()
        progress = _Progress()
        request.extensions = {**request.extensions, "trace": progress.trace}
        task = asyncio.create_task(self._send(request, progress))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._leave(task, progress)
            raise

    async def aclose(self) -> None:
        """Stop what callers have left behind, close every connection."""
        for task in tuple(self._left):
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        await self._inner.aclose()

    async def _send(self, request: httpx.Request, progress: _Progress) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            self._places.release()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  (for mypy)
        response.stream = _Body(response.stream, close=self._close)
        if progress.to_stop:
            await response.aclose()
            raise asyncio.CancelledError
        return response

    async def _leave(self, task: asyncio.Task[httpx.Response], progress: _Progress) -> None:
        if task.done():
            if not task.cancelled() and task.exception() is None:
                await task.result().aclose()
            return
        self._keep(task)
        if progress.may_stop:
            task.cancel()
        else:
            progress.to_stop = True

    async def _close(self, stream: httpx.AsyncByteStream) -> None:
        async def close() -> None:
            try:
                await stream.aclose()
            finally:
                self._places.release()

        task = asyncio.create_task(close())
        self._keep(task)
        await asyncio.shield(task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        def gone(task: asyncio.Task[Any]) -> None:
            self._left.discard(task)
            if not task.cancelled():
                task.exception()  # seen: maybe nobody waits for it

        self._left.add(task)
        task.add_done_callback(gone)


class _Progress:
    """How far one request has come, and whether it is to stop as soon as it may."""

    def __init__(self) -> None:
        self._step = ""
        self.to_stop = False

    async def trace(self, step: str, _facts: Mapping[str, Any]) -> None:
        """Is told every step before and after it is taken: the extension `trace` of httpcore."""
        self._step = step
        if self.to_stop and self.may_stop:
            self.to_stop = False  # once: cleaning up has steps too
            raise asyncio.CancelledError

    @property
    def may_stop(self) -> bool:
        """Whether the pool survives that the request is stopped here."""
        return self._step not in _HOLDS


class _Body(httpx.AsyncByteStream):
    """A body that is closed by `close`, once."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        *,
        close: Callable[[httpx.AsyncByteStream], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._close = close
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        """Close the stream beneath."""
        if not self._closed:
            self._closed = True
            await self._close(self._stream)
