"""Answers one stream of Envoy: one HTTP request, its headers first, then its body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pointsman_extproc import answers
from pointsman_extproc.body import Body
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
        self._held = 0  # bytes of bodies that are here or on their way

    async def process(
        self, requests: AsyncIterator[Incoming], context: Any
    ) -> AsyncIterator[answers.Answer]:
        """Yield the answers for one HTTP request.

        The stream ends with the last answer that matters: Envoy goes on alone from there, and the
        response is never looked at.
        """
        head: Head | None = None
        held = 0
        try:
            async for incoming in requests:
                request = incoming.message
                phase = request.WhichOneof("request") or "request_headers"
                if phase == "request_headers" and head is None:
                    metadata = context.invocation_metadata() or ()
                    head = self._read(request.request_headers, metadata=metadata)
                    if head is not None and self._is_full(head):
                        self._metrics.note(Passed.BUSY)
                        if self._settings.serves:
                            yield answers.refuse(refusal_for(Passed.BUSY), why=Passed.BUSY)
                            return
                        head = None
                    if head is not None:
                        held = self._room_for(head)
                        self._held += held
                        yield answers.send_body(
                            announced=head.body_bytes, most=self._settings.most_bytes
                        )
                        continue
                elif phase == "request_body" and head is not None:
                    ended = request.request_body.end_of_stream
                    yield await self._answer(head, body=incoming.body, ended=ended)
                    return
                yield answers.pass_on(phase)
                return
        finally:
            self._held -= held

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

    def _is_full(self, head: Head) -> bool:
        return self._held + self._room_for(head) > self._settings.most_held_bytes

    def _room_for(self, head: Head) -> int:
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
