"""The semantic reader within a deadline, everywhere or only where the default reader is unsure."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.estimate import RequestEstimate
from pointsman_server.engines.local.readers.semantic import SemanticReader

DEADLINE: Final = 0.05
"""Seconds that a decision waits for the semantic reader."""

MOST_WAITING: Final = 4
"""Requests that may wait for the semantic reader; more of them make do with the default one."""


class CascadeReader:
    """Asks the default reader first, and the semantic one where its confidence is below a bound.

    With a bound above 1 it always asks. The semantic reader runs on a thread that ends with the
    cascade; when it is late or busy, the default reader's estimate holds.
    """

    def __init__(
        self,
        default: DefaultReader,
        semantic: SemanticReader,
        *,
        bound: float,
        deadline: float = DEADLINE,
    ) -> None:
        self.default = default
        self._semantic = semantic
        self._bound = bound
        self._deadline = deadline
        self._waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="semantic-reader")
        self.version = semantic.version

    def read(self, text: str) -> RequestEstimate:
        """Estimate `text` without a deadline: for files of requests."""
        found = self.default.read(text)
        return self._semantic.read(text) if self._unsure(found) else found

    async def read_async(self, text: str, *, by: float | None = None) -> RequestEstimate:
        """Estimate `text` within the deadline, and before `by` on the monotonic clock."""
        found = self.default.read(text)
        if not self._unsure(found) or self._waiting >= MOST_WAITING:
            return found
        patience = self._deadline if by is None else min(self._deadline, by - time.monotonic())
        if patience <= 0:
            return found
        self._waiting += 1
        try:
            call = asyncio.get_running_loop().run_in_executor(
                self._thread, self._semantic.read, text
            )
            return await asyncio.wait_for(call, patience)
        except TimeoutError:
            return found
        finally:
            self._waiting -= 1

    def _unsure(self, found: RequestEstimate) -> bool:
        return max(found.difficulties) < self._bound
