"""Answers one stream of Envoy: one HTTP request, its headers first, then its body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from grpc import StatusCode

from pointsman_extproc import answers
from pointsman_extproc.body import Body
from pointsman_extproc.body_room import BodyRoom, Place
from pointsman_extproc.choosing import Chooser
from pointsman_extproc.head import Head, read_head
from pointsman_extproc.incoming import Incoming
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.settings import Settings
from pointsman_extproc.unread import refused, salvaged
from pointsman_extproc.verdict import Passed, Verdict, refusal_for
from pointsman_extproc.wire.external_processor_pb2 import HttpHeaders

Metadata = Sequence[tuple[str, str | bytes]]
_log = logging.getLogger(__name__)


class Processor:
    """Answers Envoy. Where anything fails in here, the request goes on, but never with a tier."""

    def __init__(self, chooser: Chooser, *, settings: Settings, metrics: Metrics) -> None:
        self._chooser = chooser
        self._settings = settings
        self._metrics = metrics
        self._room = BodyRoom(
            most_bytes=settings.most_held_bytes,
            most_requests=settings.most_held_requests,
            grace=settings.least_wait,
        )

    async def process(
        self, requests: AsyncIterator[Incoming], context: Any
    ) -> AsyncIterator[answers.Answer]:
        """Yield the answers for one HTTP request.

        The stream ends with the last answer that matters: Envoy goes on alone from there, and the
        response is never looked at.
        """
        try:
            async for answer in self._answers(aiter(requests), context):
                yield answer
        except DecodeError:
            await context.abort(StatusCode.INVALID_ARGUMENT, "not a message of ext_proc v3")

    async def _answers(
        self, messages: AsyncIterator[Incoming], context: Any
    ) -> AsyncIterator[answers.Answer]:
        first = await _first(messages, within=self._settings.first_within)
        if first is None:
            return
        phase = first.message.WhichOneof("request") or "request_headers"
        head: Head | None = None
        if phase == "request_headers":
            metadata = context.invocation_metadata() or ()
            head = self._read(first.message.request_headers, metadata=metadata)
        if head is None:
            yield answers.pass_on(phase)
            return
        place = self._room.enter(self._size(head))
        if place is None:
            yield self._without_room(phase)
            return
        try:
            yield answers.send_body(announced=head.body_bytes, most=self._settings.most_bytes)
            async for answer in self._for_body(head, messages=messages, place=place):
                yield answer
        finally:
            self._room.leave(place)

    async def _for_body(
        self, head: Head, *, messages: AsyncIterator[Incoming], place: Place
    ) -> AsyncIterator[answers.Answer]:
        """Wait for the message behind the headers, and answer it."""
        incoming = await _before_eviction(messages, place)
        if place.evicted.is_set():
            self._metrics.note(Passed.BUSY)
            if self._settings.serves:  # Envoy takes this answer at any time
                yield answers.refuse(refusal_for(Passed.BUSY), why=Passed.BUSY)
            return
        if incoming is None:
            return
        self._room.arrived(place)
        request = incoming.message
        phase = request.WhichOneof("request") or "request_headers"
        if phase == "request_body":
            ended = request.request_body.end_of_stream
            yield await self._answer(head, body=incoming.body, ended=ended)
        else:
            yield answers.pass_on(phase)

    def _without_room(self, phase: str) -> answers.Answer:
        self._metrics.note(Passed.BUSY)
        if self._settings.serves:
            return answers.refuse(refusal_for(Passed.BUSY), why=Passed.BUSY)
        return answers.pass_on(phase)

    def _read(self, headers: HttpHeaders, *, metadata: Metadata) -> Head | None:
        """Read the headers; `None` where the body that follows is not to be looked at."""
        try:
            head = read_head(headers, settings=self._settings, metadata=metadata)
        except Exception as error:  # noqa: BLE001  # the request must go on
            self._metrics.note(self._fault(error))
            return None
        if head is not None and not self._settings.serves and self._is_too_long(head):
            self._metrics.note(Passed.TOO_LARGE)
            return None
        return head

    def _is_too_long(self, head: Head) -> bool:
        return (head.body_bytes or 0) > self._settings.most_bytes

    def _size(self, head: Head) -> int:
        most = self._settings.most_bytes
        return most if head.body_bytes is None else min(head.body_bytes, most)

    async def _answer(self, head: Head, *, body: Body, ended: bool) -> answers.Answer:
        began = asyncio.get_running_loop().time()
        whole = ended and len(body) <= self._settings.most_bytes
        verdict = await self._verdict(head, body=body, whole=whole)
        self._metrics.note(verdict.why, model_set=bool(verdict.model))
        self._metrics.took(asyncio.get_running_loop().time() - began)
        if verdict.refusal is not None:
            return answers.refuse(verdict.refusal, why=verdict.why)
        if not verdict.model:
            return answers.pass_on("request_body")
        return answers.serve(
            verdict.model,
            why=verdict.why,
            body=verdict.body,
            path=verdict.path,
            remove=("content-encoding",) if verdict.decoded else (),
            length=ended and not self._is_too_long(head),
        )

    async def _verdict(self, head: Head, *, body: Body, whole: bool) -> Verdict:
        try:
            return await self._chooser.choose(head, body, whole=whole)
        except Exception as error:  # noqa: BLE001  # the request must go on
            why = self._fault(error)
        try:
            return await salvaged(head, body, why=why, settings=self._settings)
        except Exception as error:  # noqa: BLE001  # the same
            return refused(self._fault(error), settings=self._settings)

    def _fault(self, error: Exception) -> Passed:
        # The kind alone: a message may quote the request.
        _log.error("request not decided: %s in the processor", type(error).__name__)
        return Passed.FAULT


async def _first(messages: AsyncIterator[Incoming], *, within: float) -> Incoming | None:
    """Return the headers, which Envoy sends as soon as it opens a stream; `None` without any."""
    try:
        async with asyncio.timeout(within):
            return await anext(messages, None)
    except TimeoutError:
        return None


async def _before_eviction(messages: AsyncIterator[Incoming], place: Place) -> Incoming | None:
    """Return the next message; `None` at the end, or if the place is taken away before it."""
    following = asyncio.ensure_future(_next(messages))
    evicted = asyncio.ensure_future(place.evicted.wait())
    try:
        await asyncio.wait((following, evicted), return_when=asyncio.FIRST_COMPLETED)
        return following.result() if following.done() else None
    finally:
        evicted.cancel()
        following.cancel()


async def _next(messages: AsyncIterator[Incoming]) -> Incoming | None:
    return await anext(messages, None)
