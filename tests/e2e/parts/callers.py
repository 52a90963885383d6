"""Callers that ask for decisions one after the other, until they are told to stop."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

import grpc
from e2e.parts.processes import until
from google.protobuf.json_format import ParseDict
from pointsman.v1 import route_decision_pb2, routing_service_pb2_grpc

DEADLINE = 10.0
_CALLERS = 8


@dataclass
class Calls:
    """What became of the calls so far, by status; filled from other threads."""

    statuses: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def failed(self) -> dict[str, int]:
        """How many calls ended with each status other than OK."""
        return {status: many for status, many in self.statuses.items() if status != "OK"}

    def more(self, number: int) -> None:
        """Wait until so many further calls are answered."""
        wanted = self.statuses["OK"] + number
        until(lambda: self.statuses["OK"] >= wanted, what=lambda: f"calls; {self.statuses}")


@contextlib.contextmanager
def calling(channel: grpc.Channel, question: dict[str, object]) -> Iterator[Calls]:
    """Ask `question`, each time in a conversation of its own, inside the block."""
    calls, numbers = Calls(), count()
    stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
    request = ParseDict(question, route_decision_pb2.RouteDecisionRequest())

    def call() -> None:
        asked = route_decision_pb2.RouteDecisionRequest()
        asked.CopyFrom(request)
        while not calls.stop.is_set():
            asked.caller.session_id = f"session-{next(numbers)}"
            try:
                stub.RouteDecision(asked, timeout=DEADLINE)
            except grpc.RpcError as error:
                calls.statuses[f"{error.code().name}: {error.details()}"] += 1
            else:
                calls.statuses["OK"] += 1

    with ThreadPoolExecutor(_CALLERS) as pool:
        running = [pool.submit(call) for _ in range(_CALLERS)]
        try:
            yield calls
        finally:
            calls.stop.set()
        for each in running:
            each.result()
