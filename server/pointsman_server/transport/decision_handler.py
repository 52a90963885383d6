"""One decision, whichever RPC it came in: refused, answered at once, or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from opentelemetry.trace import Span
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.errors import TooLate
from pointsman_server.core.model import Outcome
from pointsman_server.core.preparation import Prepared
from pointsman_server.transport.call import CallInfo, CallRunner, RpcError
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.ports import Service
from pointsman_server.transport.wire_parsing import whole

Done: TypeAlias = bytes | RpcError
"""A `RouteDecisionResponse` as it is sent, or the status in its place."""


class PendingDecision(NamedTuple):
    """A decision that takes time. Its span is open until `DecisionHandler.finish` ends it."""

    service: Service
    message: pb.RouteDecisionRequest | None
    log_sampled: bool | None
    origin: CallInfo
    span: Span
    prepared: Prepared | None


class DecisionHandler:
    """Decides under the version of the policy file that is in force when a decision begins."""

    def __init__(self, *, rpc: CallRunner, service: Callable[[], Service]) -> None:
        self._rpc = rpc
        self._service = service

    def begin(
        self, origin: CallInfo, message: pb.RouteDecisionRequest | None
    ) -> Done | PendingDecision:
        """The answer, if it is cached. A `None` message could not be parsed."""
        service, rpc = self._service(), self._rpc
        log_sampled, span = service.log_sampled(), rpc.sample(origin)
        prepared = None
        if message is not None and not log_sampled:
            answer = rpc.try_immediate(origin, span, service.fast_path.answer, message)
            if isinstance(answer, bytes | RpcError):
                return answer
            prepared = answer
        opened = rpc.open(origin, span)
        return PendingDecision(service, message, log_sampled, origin, opened, prepared)

    async def finish(
        self, pending: PendingDecision, *, deadline: float | None, within: float | None = None
    ) -> Done:
        """The answer, for which the call's `deadline` holds and `within`, in seconds, if given."""

        async def body(deadline: float | None) -> bytes:
            request = to_request(whole(pending.message, pb.RouteDecisionRequest))
            deciding = pending.service.decider.decide(
                request,
                deadline=deadline,
                log_sampled=pending.log_sampled,
                prepared=pending.prepared,
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
