# ruff: noqa: ASYNC109  # a timeout is a decision's deadline: it travels with it
"""Transports of decisions: unary calls, one long stream, or batches."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_client.batching import Batching
from pointsman_client.connection import Connection
from pointsman_client.streaming import Streaming


class Transport(StrEnum):
    """The transport of decisions. Requests and answers are the same for all."""

    UNARY = "unary"
    """Each decision is one call."""
    STREAM = "stream"
    """All decisions share one long stream, and each is answered as soon as it is ready."""
    BATCH = "batch"
    """Decisions requested in one event-loop iteration share a call."""


class DecisionTransport(Protocol):
    """Takes decisions to the service."""

    async def ask(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        """The answer within `timeout` seconds, or a `RoutingError`."""
        ...

    async def aclose(self) -> None:
        """Take no more; decisions on their way end with `ClientClosed`."""
        ...


class Unary:
    """Each decision is a call, which ends with its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        """See `DecisionTransport`."""
        answer: pb.RouteDecisionResponse
        answer = await self._connection.ask("RouteDecision", message, timeout=timeout)
        return answer

    async def aclose(self) -> None:
        """See `DecisionTransport`."""


def build_transport(transport: Transport, connection: Connection) -> DecisionTransport:
    """Build the transport of that name over `connection`."""
    kinds: dict[Transport, Callable[[Connection], DecisionTransport]]
    kinds = {Transport.UNARY: Unary, Transport.STREAM: Streaming, Transport.BATCH: Batching}
    return kinds[transport](connection)
