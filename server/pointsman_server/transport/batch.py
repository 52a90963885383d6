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
IN_ORDER = 0.5
"""Share of the call's time in which requests wait for the earlier ones of their conversation."""

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
        """Decide all requests; cancelling the call cancels the decisions under way.

        The requests of one conversation are decided one after another. Those that still wait when
        half of the call's time is over are decided at once: a long conversation must not cost the
        whole batch its answer.
        """
        now = self._rpc.after(0)
        in_order_until = None if deadline is None else now + (deadline - now) * IN_ORDER
        found: list[Done | asyncio.Task[Done]] = []
        under_way: dict[tuple[object, ...], asyncio.Task[Done]] = {}
        left = TURN_BYTES
        async with asyncio.TaskGroup() as tasks:
            for message, size in requests:
                whose = _conversation(message)
                earlier = under_way.get(whose) if whose else None
                late: asyncio.Task[Done] | None = None
                if earlier is not None:
                    turn = self._after(
                        earlier, origin, message, deadline=deadline, until=in_order_until
                    )
                    late = tasks.create_task(turn)
                else:
                    answer = self._decisions.begin(origin, message)
                    if isinstance(answer, PendingDecision):
                        late = tasks.create_task(self._decisions.finish(answer, deadline=deadline))
                    else:
                        found.append(answer)
                if late is not None:
                    found.append(late)
                    if whose:
                        under_way[whose] = late
                left -= size + TURN_BYTES // TURN
                if left <= 0:
                    await self._rpc.turn(origin, deadline)
                    left = TURN_BYTES
        return [each.result() if isinstance(each, asyncio.Task) else each for each in found]

    async def _after(
        self,
        earlier: asyncio.Task[Done],
        origin: CallInfo,
        message: pb.RouteDecisionRequest | None,
        *,
        deadline: float | None,
        until: float | None,
    ) -> Done:
        """Decide a request when an earlier one of its conversation is decided, or at `until`."""
        patience = None if until is None else max(0.0, until - self._rpc.after(0))
        await asyncio.wait([earlier], timeout=patience)
        answer = self._decisions.begin(origin, message)
        if isinstance(answer, PendingDecision):
            return await self._decisions.finish(answer, deadline=deadline)
        return answer


def _conversation(message: pb.RouteDecisionRequest | None) -> tuple[object, ...] | None:
    """The ids of a request's conversation; `None` where the content alone identifies it.

    Ids are trimmed, and a session identifies the conversation alone, as in `core.keys`.
    """
    if message is None:
        return None
    caller = message.caller
    session, machine = caller.session_id.strip(), caller.machine_id.strip()
    if not (session or machine):
        return None
    within = (caller.organization_id.strip(), caller.user_id.strip(), caller.agent_id.strip())
    return (*within, bool(session), session or machine)


def _result(done: Done) -> bytes:
    if isinstance(done, RpcError):
        return field(_STATUS, done.wire)
    return field(_RESPONSE, done)
