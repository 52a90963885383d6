# ruff: noqa: ASYNC109  # a timeout is a decision's deadline: it travels with it
"""Decisions gathered in batches: those of one turn of the event loop share a call."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextvars import Context

from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_client.connection import Connection, wrap_bugs
from pointsman_client.errors import ClientClosed, RoutingError, ServiceFault
from pointsman_client.pending_decision import PendingDecision, enqueue

BATCH = 256
"""The contract's limit of a batch."""
APART = 16
"""Batches at most for parallel turns of one conversation: each is a call, maybe a connection."""


class Batching:
    """Owns its calls: they end with `aclose`.

    A batch is sent after the event-loop iteration that collected it, so no timer is needed. The
    service decides the requests of one conversation in a batch one after another; here they were
    requested at the same time, so they go in batches apart, as they would go in calls apart; more
    than `APART` turns of one conversation share these batches.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gathering: list[PendingDecision] = []
        self._waiting: set[PendingDecision] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        """See `transports.DecisionTransport`."""

        async def join(left: float) -> pb.RouteDecisionResponse:
            return await self._join(message, timeout=left)

        return await self._connection.patiently(join, timeout=timeout)

    async def aclose(self) -> None:
        """See `transports.DecisionTransport`."""
        self._closed = True
        closed = ClientClosed("the client was closed during the call")
        # Each, also those of a call that has not begun: a task that is cancelled then never runs.
        for asked in self._waiting:
            asked.fail(closed)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _join(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        if self._closed:
            raise ClientClosed("the client is closed")
        asked = enqueue(message, timeout=timeout, waiting=len(self._waiting))
        self._gathering.append(asked)
        if len(self._gathering) == 1:
            # After everything that is ready to run now, which may add requests.
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.add(asked)
        try:
            return await asked.settled()
        finally:
            self._waiting.discard(asked)

    def _send(self) -> None:
        waiting = [each for each in self._gathering if not each.answer.done()]
        self._gathering = []
        loop = asyncio.get_running_loop()
        for batch in _batches(waiting):
            # An empty context: the first caller's context must not apply to the others.
            call = loop.create_task(self._call(batch), context=Context())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, batch: Sequence[PendingDecision]) -> None:
        try:
            with wrap_bugs():
                for asked, result in zip(batch, await self._results(batch), strict=True):
                    asked.settle(result)
        except RoutingError as error:
            for asked in batch:
                asked.fail(error)
        except asyncio.CancelledError:
            for asked in batch:
                asked.fail(ClientClosed("the client was closed during the call"))
            raise

    async def _results(
        self, batch: Sequence[PendingDecision]
    ) -> Sequence[batch_pb.BatchRouteDecisionsResult]:
        request = batch_pb.BatchRouteDecisionsRequest(requests=[each.message for each in batch])
        left = max(each.deadline for each in batch) - asyncio.get_running_loop().time()
        traces = {each.trace for each in batch}
        answer: batch_pb.BatchRouteDecisionsResponse = await self._connection.call(
            "BatchRouteDecisions",
            request,
            timeout=left,
            # A batch may belong to one trace; one that serves several belongs to none.
            trace=traces.pop() if len(traces) == 1 else (),
        )
        if len(answer.results) != len(batch):
            raise ServiceFault(f"{len(batch)} requests, {len(answer.results)} results")
        return answer.results


def _batches(waiting: Sequence[PendingDecision]) -> Iterator[Sequence[PendingDecision]]:
    """Batches of at most `BATCH` requests, those of a conversation dealt out over `APART`."""
    turns: defaultdict[int, list[PendingDecision]] = defaultdict(list)
    seen: Counter[tuple[object, ...]] = Counter()
    for asked in waiting:
        whose = _conversation(asked.message.caller)
        turns[seen[whose] % APART if whose else 0].append(asked)
        if whose:
            seen[whose] += 1
    for requests in turns.values():
        for start in range(0, len(requests), BATCH):
            yield requests[start : start + BATCH]


def _conversation(caller: pb.Caller) -> tuple[object, ...] | None:
    """The ids by which the service orders the requests of a batch; `None`: it does not."""
    session, machine = caller.session_id.strip(), caller.machine_id.strip()
    if not (session or machine):
        return None
    within = (caller.organization_id.strip(), caller.user_id.strip(), caller.agent_id.strip())
    return (*within, bool(session), session or machine)
