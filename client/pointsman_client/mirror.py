# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""Background calls for shadow mode, without any effect on the gateway's caller."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Unpack

from pointsman_client.errors import Fallback, RoutingError
from pointsman_client.model import ApiKind, RouteRequest
from pointsman_client.request_builder import Promptlike, RequestFields, build_request
from pointsman_client.results import RouteResult
from pointsman_client.trace import current_trace, in_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLimits:
    """Limits of mirroring: queued requests, concurrent calls, seconds per call and at close.

    A waiting request holds bounded prefixes, never a body: about 10 KiB at most.
    """

    waiting: int = 1_000
    workers: int = 4
    timeout: float = 5.0
    drain: float = 2.0

    def __post_init__(self) -> None:
        if self.waiting < 1 or self.workers < 1:
            raise ValueError("waiting and workers must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCounts:
    """Counts of mirrored requests: `submitted` is the sum of the five after it."""

    submitted: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    """Refused because the queue was full or closed, or still waiting when the drain ended."""
    waiting: int = 0
    in_flight: int = 0
    failures: Mapping[Fallback, int] = field(default_factory=dict)
    """The failed ones by their cause."""

    def after_loss(self) -> MirrorCounts:
        """Return the counts after the event loop has closed: pending requests count as dropped."""
        lost = self.waiting + self.in_flight
        return replace(self, waiting=0, in_flight=0, dropped=self.dropped + lost)


class Ask(Protocol):
    """The call of a mirror; `RoutingError` without an answer."""

    async def __call__(self, request: RouteRequest, *, timeout: float) -> RouteResult:
        """Ask once."""


class Mirror:
    """A bounded queue and a fixed number of workers that empty it through `ask`.

    It owns its workers: they start with the first request, on the loop that submits it, and end
    with `aclose`. `RoutingClient` has its own.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        limits: MirrorLimits | None = None,
        past: MirrorCounts | None = None,
        closed: bool = False,
    ) -> None:
        self._ask = ask
        self._limits = limits or MirrorLimits()
        self._queue: asyncio.Queue[tuple[RouteRequest, Any]] = asyncio.Queue(self._limits.waiting)
        self._workers: list[asyncio.Task[None]] = []
        self._closed = closed
        past = past or MirrorCounts()
        self._submitted, self._sent, self._dropped = past.submitted, past.sent, past.dropped
        self._failures: Counter[Fallback] = Counter(past.failures)
        self._in_flight = 0

    @property
    def counts(self) -> MirrorCounts:
        """The counts so far."""
        return MirrorCounts(
            submitted=self._submitted,
            sent=self._sent,
            failed=self._failures.total(),
            dropped=self._dropped,
            waiting=self._queue.qsize(),
            in_flight=self._in_flight,
            failures=dict(self._failures),
        )

    def submit(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> bool:
        """Queue one request without waiting; False if it was dropped or its body is unusable."""
        if self._closed or self._queue.full():
            # Before the body is read: a dropped request should cost nothing.
            self._submitted += 1
            self._dropped += 1
            return False
        try:
            request = build_request(prompt, api_kind=api_kind, fields=fields)
        except RoutingError as error:
            self._submitted += 1
            self._failures[error.fallback] += 1
            return False
        self._start()
        self._submitted += 1
        self._queue.put_nowait((request, current_trace()))
        return True

    async def aclose(self) -> None:
        """Accept no more, give queued requests `drain` seconds, then end the workers."""
        self._closed = True
        if not self._workers:
            return
        try:
            async with asyncio.timeout(self._limits.drain):
                await self._queue.join()
        except TimeoutError:
            self._dropped += self._queue.qsize()
            while not self._queue.empty():
                self._queue.get_nowait()
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            self._workers.clear()

    def _start(self) -> None:
        if not self._workers:
            loop = asyncio.get_running_loop()
            self._workers = [
                # An empty context: the first request's would live as long as the worker.
                loop.create_task(self._work(), name=f"pointsman-mirror-{number}", context=Context())
                for number in range(self._limits.workers)
            ]

    async def _work(self) -> None:
        while True:
            request, trace = await self._queue.get()
            self._in_flight += 1
            try:
                with in_trace(trace):
                    await self._ask(request, timeout=self._limits.timeout)
            except RoutingError as error:
                self._failures[error.fallback] += 1
            except asyncio.CancelledError:
                self._failures[Fallback.CLOSED] += 1
                raise
            except Exception:  # noqa: BLE001  # one request must not end the worker of the others
                self._failures[Fallback.CLIENT_FAULT] += 1
            else:
                self._sent += 1
            finally:
                self._in_flight -= 1
                self._queue.task_done()
