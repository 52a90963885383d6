"""From one request to its verdict: the model to serve, if any, and why."""

from __future__ import annotations

import asyncio
from typing import Any

from pointsman_client import (
    Identity,
    RoutingClient,
    Served,
    ServedModels,
    TierRequest,
    in_trace_of,
    tier_request,
)

from pointsman_extproc.body import Body
from pointsman_extproc.encodings import Encoding, TooLong, expanded
from pointsman_extproc.head import Head
from pointsman_extproc.paths import Purpose
from pointsman_extproc.reader_pool import ReaderPool, ReadingTimeout
from pointsman_extproc.reading import Question, Reading, is_tier
from pointsman_extproc.settings import Settings
from pointsman_extproc.unread import cut_off, path_with, refused, salvaged
from pointsman_extproc.verdict import Passed, Verdict

_READING_SHARE = 0.6
"""Of the time that a request may wait, how much reading its body may take."""
_LEAST_WAIT = 0.02
"""Seconds that are left for a decision in any case."""


class Chooser:
    """Decides about requests for a tier. With `serves` no tier leaves it for a provider."""

    def __init__(
        self, routing: RoutingClient, *, settings: Settings, readers: ReaderPool | None = None
    ) -> None:
        self._routing = routing
        self._settings = settings
        self._readers = readers or ReaderPool()
        self._conversations = ServedModels()

    async def choose(self, head: Head, raw: Body, *, whole: bool = True) -> Verdict:
        """Return the verdict on one body; failures of Pointsman are a `why`, no error.

        `whole` is false for the start of a longer body.
        """
        if not whole:
            return cut_off(head, raw, settings=self._settings)
        ends = asyncio.get_running_loop().time() + self._settings.timeout
        try:
            body = await expanded(raw, encoding=head.encoding, most=self._settings.most_bytes)
        except TooLong:
            return refused(Passed.TOO_LARGE, settings=self._settings)
        except ValueError:
            return refused(Passed.ENCODED, settings=self._settings)
        reading = await self._reading(head, body)
        if not isinstance(reading, Reading):
            return await salvaged(head, body, why=reading, settings=self._settings)
        if not is_tier(reading.model, self._settings.tiers):
            return Verdict(why=Passed.CONCRETE)
        wait = max(_LEAST_WAIT, ends - asyncio.get_running_loop().time())
        return await self._for_tier(head, body, reading=reading, wait=wait)

    async def _reading(self, head: Head, body: Body) -> Reading | Passed:
        """Read a body, or say why it is not read."""
        within = self._settings.timeout * _READING_SHARE
        try:
            reading = await self._readers.read(body, self._question(head), within=within)
        except ReadingTimeout:
            return Passed.SLOW
        return Passed.UNREADABLE if reading is None else reading

    def _question(self, head: Head) -> Question:
        sources = self._settings.sources
        return Question(
            target=head.target,
            tiers=frozenset(self._settings.tiers),
            users=tuple(sources.body_users),
            sessions=tuple(sources.body_sessions),
        )

    async def _for_tier(self, head: Head, body: Body, *, reading: Reading, wait: float) -> Verdict:
        tier = reading.model.strip().lower()
        purpose, prompt = head.target.purpose, reading.prompt
        if not self._settings.serves:
            return self._mirrored(head, reading=reading, tier=tier, size=len(body))
        pick = self._settings.tiers[tier] or ""
        if purpose is Purpose.UNKNOWN or prompt is None:
            unknown = purpose is Purpose.UNKNOWN
            why = Passed.UNKNOWN_API if unknown else Passed.UNREADABLE
            return self._served(head, body, reading=reading, model=pick, why=why)
        identity = _merged(head.identity, reading.identity)
        request = tier_request(
            identity,
            tier=tier,
            prompt=prompt,
            served=self._conversations,
            side=purpose is Purpose.SIDE,
        )
        last = request.last
        if purpose is Purpose.SIDE and last:
            return self._served(head, body, reading=reading, model=last.model, why=Passed.SIDE)
        asked = self._asked(request, head, size=len(body))
        with in_trace_of(head.trace):
            choice = await self._routing.decide(prompt, timeout=wait, **asked)
        model = pick if is_tier(choice.model, self._settings.tiers) else choice.model
        if purpose is Purpose.TURN:
            self._conversations.note(request.key, Served(model, choice.result is None))
        return self._served(head, body, reading=reading, model=model, why=choice.why)

    def _mirrored(self, head: Head, *, reading: Reading, tier: str, size: int) -> Verdict:
        if reading.prompt is None:
            return Verdict(why=Passed.UNREADABLE)
        identity = _merged(head.identity, reading.identity)
        request = tier_request(
            identity, tier=tier, prompt=reading.prompt, served=self._conversations
        )
        with in_trace_of(head.trace):
            taken = self._routing.mirror(reading.prompt, **self._asked(request, head, size=size))
        return Verdict(why=Passed.MIRRORED if taken else Passed.DROPPED)

    def _served(self, head: Head, body: Body, *, reading: Reading, model: str, why: str) -> Verdict:
        if not model:
            return refused(why, settings=self._settings)
        return Verdict(
            why=why,
            model=model,
            body=reading.with_model(body, model),
            path=path_with(head, model=model, settings=self._settings),
            decoded=head.encoding is not Encoding.IDENTITY,
        )

    def _asked(self, request: TierRequest, head: Head, *, size: int) -> dict[str, Any]:
        tier = request.fields["tier"] or ""
        return {
            **request.fields,
            "client_request_id": head.client_request_id,
            "candidates": tuple(self._settings.candidates.get(tier, ())),
            "static_pick": self._settings.tiers[tier],
            "body_bytes": size,
        }


def _merged(first: Identity, second: Identity) -> Identity:
    """The ids of the headers, and where they have none, those of the body."""
    return Identity(
        user_id=first.user_id or second.user_id,
        session_id=first.session_id or second.session_id,
        agent_id=first.agent_id or second.agent_id,
        organization_id=first.organization_id,
        session_source=first.session_source or second.session_source,
    )
