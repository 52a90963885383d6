"""Telemetry of `run_with_fallback`: spans with events if OpenTelemetry is installed, and log lines.

Names of the policy file, kinds of errors and numbers only: no run id, no text of an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from pointsman_client.routes import Attempt

_log = logging.getLogger("pointsman_client.fallback")

SPAN = "pointsman.run_with_fallback"
ATTEMPT_SPAN = "pointsman.attempt"
EVENT_PREFIX = "pointsman.fallback."

Facts = Mapping[str, str | int | bool]


class _Span(Protocol):
    def event(self, name: str, facts: Facts) -> None: ...

    def failed(self, kind: str) -> None: ...


class _NoSpan:
    """Stands where there is no OpenTelemetry in this process."""

    def event(self, name: str, facts: Facts) -> None: ...

    def failed(self, kind: str) -> None: ...


class _OtelSpan:
    """One span of OpenTelemetry's API."""

    def __init__(self, span: Any, error: Any) -> None:
        self._span = span
        self._error = error

    def event(self, name: str, facts: Facts) -> None:
        self._span.add_event(name, facts)

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(self._error)


try:
    from opentelemetry import trace
except ImportError:

    @contextmanager
    def _span(name: str, facts: Facts) -> Iterator[_Span]:
        del name, facts
        yield _NoSpan()

else:

    @contextmanager
    def _span(name: str, facts: Facts) -> Iterator[_Span]:
        tracer = trace.get_tracer("pointsman_client")
        # Exceptions are not recorded: their texts quote requests.
        with tracer.start_as_current_span(
            name,
            kind=trace.SpanKind.INTERNAL,
            attributes=facts,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _OtelSpan(span, trace.StatusCode.ERROR)


class FallbackEvents:
    """Records the events of one `run_with_fallback`."""

    def __init__(self, span: _Span, purpose: str) -> None:
        self._span = span
        self._purpose = purpose

    def attempt(self, attempt: Attempt, *, number: int) -> AbstractContextManager[_Span]:
        """The span of one attempt; numbers begin at 1."""
        return _span(ATTEMPT_SPAN, self._facts(attempt, number))

    def candidate_failed(
        self, attempt: Attempt, *, number: int, kind: str, known: bool, eligible: bool
    ) -> None:
        """Record that an attempt failed; `kind` is the error's class where none is `known`."""
        facts: Facts = {
            **self._facts(attempt, number),
            "error.type": kind,
            "error.known": known,
            "eligible": eligible,
        }
        self._tell(logging.WARNING, "candidate_failed", facts)

    def triggered(self, attempt: Attempt, *, number: int, kind: str) -> None:
        """The first attempt failed, and `attempt` is made next."""
        facts = {**self._facts(attempt, number), "error.type": kind}
        self._tell(logging.WARNING, "triggered", facts)

    def succeeded(self, attempt: Attempt, *, number: int) -> None:
        """An attempt succeeded; worth a line where it was not the first."""
        level = logging.INFO if number > 1 else logging.DEBUG
        self._tell(level, "succeeded", self._facts(attempt, number))

    def exhausted(self, *, attempts: int, kind: str) -> None:
        """Nothing is left to try, or no time to try it in."""
        facts: Facts = {
            "pointsman.purpose": self._purpose,
            "attempts": attempts,
            "error.type": kind,
        }
        self._tell(logging.ERROR, "exhausted", facts)
        self._span.failed(kind)

    def _facts(self, attempt: Attempt, number: int) -> dict[str, str | int | bool]:
        return {
            "pointsman.purpose": self._purpose,
            "pointsman.profile": attempt.profile,
            "pointsman.provider": attempt.provider,
            "pointsman.model": attempt.model,
            "pointsman.attempt": number,
        }

    def _tell(self, level: int, event: str, facts: Facts) -> None:
        self._span.event(f"{EVENT_PREFIX}{event}", facts)
        if _log.isEnabledFor(level):
            told = " ".join(f"{k.removeprefix('pointsman.')}={v}" for k, v in facts.items())
            _log.log(level, "fallback %s: %s", event, told, extra={"event": f"fallback_{event}"})


@contextmanager
def telling(purpose: str) -> Iterator[FallbackEvents]:
    """The span around all attempts, with their events."""
    with _span(SPAN, {"pointsman.purpose": purpose}) as span:
        yield FallbackEvents(span, purpose)
