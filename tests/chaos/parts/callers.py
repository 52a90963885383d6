"""Who asks: raw gRPC, which waits for a connection and never retries, and the Python client."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import grpc
import httpx
from chaos.parts.judge import MORPH_MODEL, STATIC_PICK, Judge, asking
from google.protobuf import json_format
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman_client import Choice, RoutingClient, Source
from support.load import Refused
from support.served import FRONTIER

RAW = "gRPC, no retries"
CLIENT = "Python client"
HTTP = "HTTP/1.1, JSON"
DECIDE = "/pointsman.v1.RoutingService/RouteDecision"
DEADLINE = 10.0
"""Seconds. Whoever is not answered by then counts as lost."""
UNTIL_STARTED = 60.0
"""The same where another process has to start first."""

_ON_ITS_OWN = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
"""A fresh connection a caller, with a back-off that outlasts no restart."""


async def local_model(stub: Any, **options: Any) -> str:
    """What engine `local` picks for the suite's prompt."""
    asked = asking("local", data_policy=pb.DATA_POLICY_THIRD_PARTY_DENIED, dry_run=True)
    answer = await stub.RouteDecision(asked, timeout=DEADLINE, wait_for_ready=True, **options)
    assert answer.decision.source == pb.SOURCE_LOCAL, answer
    return str(answer.decision.model)


class RawCaller:
    """A channel without a retry policy; `ask` is what a `Load` calls."""

    judge: Judge

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None = None,
        *,
        deadline: float = DEADLINE,
        token: str | None = None,
    ) -> None:
        self._deadline = deadline
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(target, options=_ON_ITS_OWN)
        else:
            self.channel = grpc.aio.secure_channel(target, credentials, options=_ON_ITS_OWN)
        stub: Any = routing_service_pb2_grpc.RoutingServiceStub
        self.stub = stub(self.channel)
        self.answered: list[str] = []
        """The ids of the decisions that came back."""

    async def __aenter__(self) -> Self:
        self.judge = Judge(await local_model(self.stub, metadata=self._metadata))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.channel.close()

    async def decide(self, session: str) -> pb.RouteDecisionResponse:
        """One call."""
        answer: pb.RouteDecisionResponse = await self.stub.RouteDecision(
            asking(session), timeout=self._deadline, wait_for_ready=True, metadata=self._metadata
        )
        self.answered.append(answer.decision_id)
        return answer

    async def ask(self, number: int) -> str | None:
        """One call of a load; what is wrong with its answer."""
        session = self.judge.session(number)
        return self.judge.wrong(await self.decide(session), session)

    async def ask_at_the_end(self, number: int) -> str | None:
        """The same where the service stops: a call that no handler has seen is refused.

        gRPC says CANCELLED or UNAVAILABLE to such a call; that it was seen by none is for the
        test to show, by the decision log.
        """
        try:
            return await self.ask(number)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise Refused from error
            raise

    async def asks_morph(self) -> bool:
        """Whether a conversation that begins now is decided by Morph: all is well again."""
        answer = await self.decide(self.judge.session(f"probe-{len(self.answered)}"))
        return answer.decision.source == pb.SOURCE_MORPH

    async def asks_a_decision_model(self) -> bool:
        """The same for a decision model, whose pick the judge knows from then on."""
        answer = await self.decide(self.judge.session(f"probe-{len(self.answered)}"))
        if answer.decision.source != pb.SOURCE_DECISION_MODEL:
            return False
        self.judge.decision_model = answer.decision.model
        return True


class HttpCaller:
    """A caller of the HTTP listener, over connections of its own."""

    def __init__(self, base: str, judge: Judge) -> None:
        self._client = httpx.AsyncClient(base_url=base, timeout=DEADLINE)
        self._judge = judge

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def ask(self, number: int) -> str | None:
        """One call of a load; what is wrong with its answer."""
        session = self._judge.session(number)
        asked = json_format.MessageToDict(asking(session))
        answer = await self._client.post(DECIDE, json=asked)
        answer.raise_for_status()
        found = json_format.ParseDict(answer.json(), pb.RouteDecisionResponse())
        return self._judge.wrong(found, session)


class ClientCaller:
    """The Python client with its retries, as a gateway uses it."""

    def __init__(self, target: str, judge: Judge) -> None:
        self.client = RoutingClient(target, decide_timeout=DEADLINE)
        self.judge = judge
        self.fallbacks = 0
        """Calls that were answered with the static pick since the service did not answer."""

    async def ask(self, number: int) -> str | None:
        """One call of a load; what is wrong with its answer."""
        session = self.judge.session(number)
        choice = await self.client.decide(
            "Please guard this accessor against null.",
            tier="kilo-auto/frontier",
            user_id="user-1",
            session_id=session,
            candidates=FRONTIER,
            static_pick=STATIC_PICK,
        )
        if choice.error is not None:
            self.fallbacks += 1
            return None if choice.model == STATIC_PICK else f"{session}: served {choice.model}"
        return self._wrong(choice, session)

    def _wrong(self, choice: Choice, session: str) -> str | None:
        decision = choice.result.decision if choice.result else None
        if decision is None:
            return f"{session}: {choice.why}"
        pick = MORPH_MODEL if decision.source is Source.MORPH else self.judge.local_model
        if not choice.model == decision.model == pick:
            return f"{session}: {decision.source} picked {decision.model}, served {choice.model}"
        first = self.judge.told.setdefault(session, choice.model)
        return None if first == choice.model else f"{session}: {first} became {choice.model}"
