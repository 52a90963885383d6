"""Classification beside a decision: neither's failure or slowness reaches the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from opentelemetry.trace import Tracer

from pointsman_server.core.model import Classification, Prompt
from pointsman_server.core.ports import Classifier

_log = logging.getLogger(__name__)


class BackgroundClassifier:
    """Runs a classifier in a separate task, bounded by a separate budget in seconds.

    `remote`, if there is one, labels the prompts that may be sent to it; `local` all others.
    """

    def __init__(
        self,
        local: Classifier,
        *,
        budget: float,
        tracer: Tracer,
        remote: Classifier | None = None,
    ) -> None:
        self.local = local
        self._remote = remote
        self._budget = budget
        self._tracer = tracer
        self._running: set[asyncio.Task[Classification | None]] = set()

    @contextlib.asynccontextmanager
    async def beside(
        self, prompt: Prompt, *, remote: bool = False
    ) -> AsyncIterator[Callable[[], Classification | None]]:
        """Start classifying; the yielded function returns the result if it is ready."""
        text = prompt.chosen()
        if text is None:
            yield _nothing
            return
        classifier = self._remote if remote and self._remote is not None else self.local
        task = asyncio.create_task(self._classify(classifier, text))
        # An embedded classifier is done within its first step: without this a request that needs
        # no engine would be answered before it began.
        await asyncio.sleep(0)
        try:
            yield lambda: task.result() if task.done() and not task.cancelled() else None
        finally:
            # Not awaited: a classifier that is slow to stop would hold the answer back.
            task.cancel()
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _classify(self, classifier: Classifier, text: str) -> Classification | None:
        with self._tracer.start_as_current_span("pointsman.classify"):
            try:
                async with asyncio.timeout(self._budget):
                    return await classifier.classify(text)
            except Exception as error:  # noqa: BLE001  (a leg's failure is the absence of a value)
                _log.warning("classification failed: %s", type(error).__name__)
                return None


def _nothing() -> Classification | None:
    return None
