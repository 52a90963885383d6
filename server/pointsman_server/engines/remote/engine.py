"""A `DecisionEngine` over a remote endpoint; its codec is all that differs between engines."""

from __future__ import annotations

from typing import Protocol

from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.engines.remote.caller import RemoteCaller


class RemoteCodec(Protocol):
    """The wire format of a remote engine. Pure: no I/O, no state of a call."""

    def encode(self, query: EngineQuery) -> bytes:
        """Return the request's JSON body: all that leaves the process besides the key."""
        ...

    def decode(self, body: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Return the answer; `None` if `body` is not one. Never raises."""
        ...


class RemoteEngine:
    """Calls a remote endpoint and reads its answer."""

    def __init__(self, caller: RemoteCaller, codec: RemoteCodec) -> None:
        self._caller = caller
        self._codec = codec

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Pick one of the query's candidates. Raises `EngineFailed`."""
        body = await self._caller.call(self._codec.encode(query), deadline=query.deadline)
        answer = self._codec.decode(body, query)
        if answer is None:
            raise self._caller.failed("invalid_response")
        return answer
