"""The wall around observers: recording never fails an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from pointsman_server.core.decision_record import DecisionView
from pointsman_server.core.ports import DecisionObserver
from pointsman_server.core.resolver import ResolutionObserver, ResolutionRecord
from pointsman_server.lib.safe_traceback import frames_of

_log = logging.getLogger(__name__)
Record = TypeVar("Record")


class LoggedOnce(Generic[Record]):
    """Calls one observer; its first exception is logged, by type and frames."""

    def __init__(self, tell: Callable[[Record], None]) -> None:
        self._tell = tell
        self._complained = False

    def __call__(self, record: Record) -> None:
        """Pass `record` on."""
        try:
            self._tell(record)
        except Exception as error:  # noqa: BLE001  (the wall that this is)
            if not self._complained:
                self._complained = True
                # Frames only: the text of a foreign exception may quote the request.
                frames = frames_of(error)
                _log.error("an observer raised %s\n%s", type(error).__name__, frames)


class SafeObserver:
    """A `DecisionObserver` that never raises, even if the one inside does."""

    def __init__(self, inside: DecisionObserver) -> None:
        self.on_decision: Callable[[DecisionView], None] = LoggedOnce(inside.on_decision)
        """Tells the one inside. An attribute: a method would be one more call of every decision."""


class SafeResolutionObserver:
    """The same for resolutions."""

    def __init__(self, inside: ResolutionObserver) -> None:
        self._tell: LoggedOnce[ResolutionRecord] = LoggedOnce(inside.resolved)

    def resolved(self, record: ResolutionRecord) -> None:
        """Pass the record to the wrapped observer."""
        self._tell(record)
