"""What is behind the RPCs, as this room needs it; `bootstrap` builds it."""

from __future__ import annotations

from typing import Protocol

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.core.routes import Resolution, ResolveRequest
from pointsman_server.transport.call_spans import SampledCall


class Decides(Protocol):
    """Decides one request."""

    async def decide(
        self,
        request: RouteRequest,
        *,
        deadline: float | None = None,
        log_sampled: bool | None = None,
    ) -> Outcome:
        """Answer one request; `log_sampled` says whether the decision log drew it already."""
        ...


class Resolves(Protocol):
    """The same for purposes."""

    async def resolve(
        self, request: ResolveRequest, *, deadline: float | None = None
    ) -> Resolution:
        """Answer one request."""
        ...


class Answers(Protocol):
    """The short way: what is kept, as bytes."""

    def answer(
        self, message: pb.RouteDecisionRequest, span: SampledCall | None = None
    ) -> bytes | None:
        """The response, or `None` where the request has to be decided.

        `span` is the call's, if that is recorded: it is told of the answer, which ends it.
        """
        ...


class Service(Protocol):
    """What is behind the RPCs: under one version of the policy file, swapped as a whole."""

    def log_sampled(self) -> bool | None:
        """Whether the decision log wants the next call, which then goes the long way.

        `None` leaves it to the log itself.
        """
        ...

    @property
    def fast_path(self) -> Answers:
        """Answers what is kept."""
        ...

    @property
    def decider(self) -> Decides:
        """Decides the rest."""
        ...

    @property
    def resolver(self) -> Resolves:
        """Resolves purposes."""
        ...
