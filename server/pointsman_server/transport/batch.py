"""`BatchRouteDecisions`: many requests in one message, answered in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.errors import InvalidRequest
from pointsman_server.lib.protobuf_wire import field
from pointsman_server.transport.call import SERVICE, CallInfo, CallRunner, Context, RpcError
from pointsman_server.transport.decision_handler import DecisionHandler, Done, PendingDecision
from pointsman_server.transport.wire_parsing import parsed_batch

METHOD = f"{SERVICE}/BatchRouteDecisions"
TURN = 16
"""Decisions after which a batch takes its next turn: a large batch must not block the loop."""
TURN_BYTES = 16 * 1024
"""Bytes parsed after which it does, too."""

_RESULTS = 1
_RESPONSE, _STATUS = 1, 2


class Batches:
    """Serves batches. Each decision has its own span, place in flight and status."""

    def __init__(self, *, rpc: CallRunner, decisions: DecisionHandler) -> None:
        self._rpc = rpc
        self._decisions = decisions

    async def answer(self, wire: bytes, context: Context) -> bytes:
        """Return a `BatchRouteDecisionsResponse` for a `BatchRouteDecisionsRequest`."""
        origin = self._rpc.origin(METHOD, context)
        try:
            requests = parsed_batch(wire)
        except InvalidRequest as error:
            refused = self._rpc.refuse(origin, self._rpc.sample(origin), error)
            await refused.end(context)
        done = await self._decide(requests, origin, self._rpc.deadline(context))
        return b"".join([field(_RESULTS, _result(each)) for each in done])

    async def _decide(
        self,
        requests: Iterable[tuple[pb.RouteDecisionRequest | None, int]],
        origin: CallInfo,
        deadline: float | None,
    ) -> list[Done]:
        """Decide all requests; cancelling the call cancels the decisions under way."""
        found: list[Done | asyncio.Task[Done]] = []
        left = TURN_BYTES
        async with asyncio.TaskGroup() as tasks:
            for message, size in requests:
                answer = self._decisions.begin(origin, message)
                if isinstance(answer, PendingDecision):
                    late = self._decisions.finish(answer, deadline=deadline)
                    found.append(tasks.create_task(late))
                else:
                    found.append(answer)
                left -= size + TURN_BYTES // TURN
                if left <= 0:
                    await self._rpc.turn(origin, deadline)
                    left = TURN_BYTES
        return [each.result() if isinstance(each, asyncio.Task) else each for each in found]


def _result(done: Done) -> bytes:
    if isinstance(done, RpcError):
        return field(_STATUS, done.wire)
    return field(_RESPONSE, done)
