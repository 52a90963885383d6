"""One stream of Envoy is one HTTP request: its headers, then its body, each with an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pointsman_extproc import answers
from pointsman_extproc.choosing import Chooser, Passed, Verdict
from pointsman_extproc.head import Head, read_head
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.settings import Settings
from pointsman_extproc.wire.external_processor_pb2 import (
    HttpBody,
    HttpHeaders,
    ProcessingRequest,
    ProcessingResponse,
)

Metadata = Sequence[tuple[str, str | bytes]]
_log = logging.getLogger(__name__)


class Processor:
    """Answers Envoy. Whatever goes wrong in here, a request goes on as it came."""

    def __init__(self, chooser: Chooser, *, settings: Settings, metrics: Metrics) -> None:
        self._chooser = chooser
        self._settings = settings
        self._metrics = metrics
        self._held = 0  # bytes of bodies that are here or have been asked for

    async def process(
        self, requests: AsyncIterator[ProcessingRequest], context: Any
    ) -> AsyncIterator[ProcessingResponse]:
        """The answers for one HTTP request.

        The stream ends with the last answer that matters: Envoy goes on alone from there, and the
        response is never looked at.
        """
        head: Head | None = None
        held = 0
        try:
            async for request in requests:
                phase = request.WhichOneof("request") or "request_headers"
                if phase == "request_headers" and head is None:
                    metadata = context.invocation_metadata() or ()
                    head = self._read(request.request_headers, metadata=metadata)
                    if head is not None:
                        held = self._room_for(head)
                        self._held += held
                        yield answers.send_body(announced=head.body_bytes is not None)
                        continue
                elif phase == "request_body" and head is not None:
                    yield await self._answer(head, body=request.request_body)
                    return
                yield answers.pass_on(phase)
                return
        finally:
            self._held -= held

    def _read(self, headers: HttpHeaders, *, metadata: Metadata) -> Head | None:
        """What the headers say, where a body follows that is to be looked at."""
        try:
            head = read_head(headers, settings=self._settings, metadata=metadata)
        except Exception as error:  # noqa: BLE001  # the request must go on
            self._metrics.note(self._fault(error))
            return None
        if head is None:
            return None
        if (head.body_bytes or 0) > self._settings.most_bytes:
            self._metrics.note(Passed.TOO_LARGE)
            return None
        if self._held + self._room_for(head) > self._settings.most_held_bytes:
            self._metrics.note(Passed.BUSY)
            return None
        return head

    def _room_for(self, head: Head) -> int:
        return self._settings.most_bytes if head.body_bytes is None else head.body_bytes

    async def _answer(self, head: Head, *, body: HttpBody) -> ProcessingResponse:
        began = asyncio.get_running_loop().time()
        verdict = await self._verdict(head, body=body)
        self._metrics.note(verdict.why, model_set=verdict.body is not None)
        self._metrics.took(asyncio.get_running_loop().time() - began)
        if verdict.body is None:
            return answers.pass_on("request_body")
        return answers.serve(verdict.model, why=verdict.why, body=verdict.body)

    async def _verdict(self, head: Head, *, body: HttpBody) -> Verdict:
        if not body.end_of_stream or len(body.body) > self._settings.most_bytes:
            return Verdict(why=Passed.TOO_LARGE)
        try:
            return await self._chooser.choose(head, body.body)
        except Exception as error:  # noqa: BLE001  # the request must go on
            return Verdict(why=self._fault(error))

    def _fault(self, error: Exception) -> Passed:
        # The kind alone: a message may quote what it is about.
        _log.error("a request passes as it came: %s in the processor", type(error).__name__)
        return Passed.FAULT
