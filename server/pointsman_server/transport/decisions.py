"""One decision, whichever RPC it came in: refused, answered at once, or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from opentelemetry.trace import Span
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.errors import TooLate
from pointsman_server.core.model import Outcome
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.parse import checked
from pointsman_server.transport.rpc import Origin, Refused, Rpc
from pointsman_server.transport.service import Service

Done: TypeAlias = bytes | Refused
"""A `RouteDecisionResponse` as it is sent, or the status in its place."""


class Pending(NamedTuple):
    """A decision that takes time. Its span is open until `Decisions.finish` ends it."""

    service: Service
    message: pb.RouteDecisionRequest | None
    drawn: bool | None
    origin: Origin
    span: Span


class Decisions:
    """Decides under the version of the policy file that is in force when a decision begins."""

    def __init__(self, *, rpc: Rpc, service: Callable[[], Service]) -> None:
        self._rpc = rpc
        self._service = service

    def begin(self, origin: Origin, message: pb.RouteDecisionRequest | None) -> Done | Pending:
        """The answer, where it is kept. `None` for a message is one that could not be read."""
        service, rpc = self._service(), self._rpc
        drawn, span = service.draws(), rpc.draw(origin)
        if message is not None and not drawn:
            answer = rpc.at_once(origin, span, service.lane.answer, message)
            if answer is not None:
                return answer
        return Pending(service, message, drawn, origin, rpc.open(origin, span))

    async def finish(
        self, pending: Pending, *, deadline: float | None, within: float | None = None
    ) -> Done:
        """The answer, for which the call's `deadline` holds and `within`, in seconds, if given."""

        async def body(deadline: float | None) -> bytes:
            request = to_request(checked(pending.message))
            deciding = pending.service.decider.decide(
                request, deadline=deadline, drawn=pending.drawn
            )
            outcome = await (deciding if within is None else _bounded(deciding, within))
            return to_response(outcome).SerializeToString()

        if within is not None:
            until = self._rpc.after(within)
            deadline = until if deadline is None else min(deadline, until)
        return await self._rpc.attempt(pending.origin, pending.span, body, deadline)


async def _bounded(deciding: Awaitable[Outcome], within: float) -> Outcome:
    try:
        async with asyncio.timeout(within):
            return await deciding
    except TimeoutError:
        raise TooLate from None
