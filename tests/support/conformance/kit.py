"""All cases in one form, and a server for the one that is open."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from support.conformance import conversations, decisions
from support.conformance.comparison import Found
from support.conformance.decisions import Armed
from support.conformance.lines import request_json
from support.morph import ScriptedMorph
from support.served import Peer, Starter

WAYS = ("unary", "stream", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scenario: a decision case or a conversation, by one way of asking."""

    name: str
    suite: str
    way: str
    document: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of a decision case, the turns of a conversation."""
        steps: list[dict[str, Any]] = self.document[
            "steps" if "steps" in self.document else "turns"
        ]
        return steps

    @property
    def group(self) -> str:
        """Cases of a group share a server; every decision case has one to itself."""
        if self.suite == "decisions":
            return f"{self.name} {self.way}"
        return f"{conversations.policy_of(self.document)} {self.way}"


def cases(*, only: str = "", ways: tuple[str, ...] = WAYS) -> list[Case]:
    """The cases whose name contains `only`, in an order in which groups stay together.

    Conversations run by every way, decision cases by those of their key `ways`.
    """
    found = [
        Case(name=document["name"], suite="decisions", way=way, document=document)
        for document in decisions.SUITE["cases"]
        for way in document.get("ways", ("unary",))
    ]
    found += [
        Case(name=document["name"], suite="conversations", way=way, document=document)
        for way in WAYS
        for document in sorted(conversations.CASES, key=conversations.policy_of)
    ]
    return [case for case in found if only in case.name and case.way in ways]


class Server(Protocol):
    """What the servers of both suites have."""

    async def arm(self, step: dict[str, Any]) -> Armed:
        """Prepare for a step; the request to send now."""
        ...

    async def check(self, step: dict[str, Any], found: Found) -> list[str]:
        """The differences between the results of a step and the expected ones."""
        ...


class Kit:
    """Opens one case after the other. Use it as a context manager."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._local = conversations.ScriptedLocal()
        self._patched = contextlib.ExitStack()
        self._group: str | None = None
        self._conversations: conversations.ConversationServer | None = None
        self._server: Server | None = None
        self._peer: Peer | None = None
        self._steps: Iterator[dict[str, Any]] = iter(())
        self._step: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._patched.enter_context(self._local.in_place())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._patched.close()
        await self._stack.aclose()

    async def open(self, case: Case) -> dict[str, str]:
        """Start the case's server, if the present one is another's; its addresses."""
        if case.group != self._group:
            await self._stack.aclose()
            self._group = case.group
            self._peer = await self._start(case)
        if case.suite == "conversations":
            assert self._conversations is not None
            self._server = _Conversation(self._conversations, case.document)
        self._steps = iter(case.steps)
        assert self._peer is not None
        running = self._peer.running
        return {
            "address": f"127.0.0.1:{running.port}",
            "http": f"http://127.0.0.1:{running.http_port}",
        }

    async def arm(self) -> dict[str, Any] | None:
        """Prepare for the next step; what to send, `None` after the last one."""
        step = next(self._steps, None)
        if step is None:
            return None
        assert self._server is not None
        self._step = step
        return _sent(await self._server.arm(step))

    async def check(self, found: Found) -> list[str]:
        """The differences between the results of the step and the expected ones."""
        assert self._server is not None
        return await self._server.check(self._step, found)

    async def _start(self, case: Case) -> Peer:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        keys = {"key", "key-1"} | {step.get("key", "key-1") for step in case.steps}
        morph = await self._stack.enter_async_context(ScriptedMorph(keys=tuple(keys)))
        start = Starter(folder, self._stack)
        if case.suite == "conversations":
            self._conversations = conversations.ConversationServer(morph, self._local, folder)
            return await self._conversations.open(start, case.document.get("policy", {}))
        self._server = server = decisions.DecisionServer(case.document, morph, folder)
        return await server.open(start)


class _Conversation:
    """One conversation on a server that it shares."""

    def __init__(self, server: conversations.ConversationServer, case: dict[str, Any]) -> None:
        self._server = server
        self._case = case

    async def arm(self, step: dict[str, Any]) -> Armed:
        return self._server.arm(step, self._case)

    async def check(self, step: dict[str, Any], found: Found) -> list[str]:
        return self._server.check(step, found)


def _sent(armed: Armed) -> dict[str, Any]:
    """The request of a step as JSON."""
    token = armed.authorization.removeprefix("Bearer ") if armed.authorization else None
    return request_json(armed.wire) | ({"token": token} if token else {})
