"""Calls of `StreamRouteDecisions`, and a gate that holds decisions."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

from support.counted import in_flight
from support.served import Peer, request

PATH = "/pointsman.v1.RoutingService/StreamRouteDecisions"


def item(name: str, message: Any = None, **fields: Any) -> stream_pb.StreamRouteDecisionsRequest:
    return stream_pb.StreamRouteDecisionsRequest(
        correlation_id=name, request=message or request(), **fields
    )


async def read(call: Any) -> Any:
    async with asyncio.timeout(60):
        return await call.read()


async def rest(call: Any) -> list[Any]:
    """Everything until the end of the stream."""
    found = []
    while (answer := await read(call)) is not grpc.aio.EOF:
        found.append(answer)
    return found


def ids(answers: list[Any]) -> list[str]:
    return [a.correlation_id for a in answers]


class Gate:
    """Holds the decisions whose prompt says so until it is opened."""

    def __init__(self, peer: Peer) -> None:
        self.open = asyncio.Event()
        self.inside = self.cancelled = 0
        decider: Any = peer.running.runtime.service().decider
        self._decide = decider.decide
        decider.decide = self.decide

    async def decide(self, value: Any, **how: Any) -> Any:
        if "slow" not in (value.prompt.first or ""):
            return await self._decide(value, **how)
        self.inside += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await self._decide(value, **how)


def slow(session: str = "slow") -> Any:
    return request("a slow one", caller=pb.Caller(session_id=session))


def open_calls(peer: Peer) -> int:
    return in_flight(peer.running.telemetry.metrics)
