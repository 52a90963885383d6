"""Attempts of a route in order, and the errors that lead to the next one. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pointsman_client.error_kinds import is_eligible, kind_of
from pointsman_client.events import FallbackEvents
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

_ATTRIBUTE = "pointsman_attempts"
_SECOND = 2


class NoAttempts(LookupError):
    """The route has nothing to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """One attempt that failed: with which error, and its kind (see `eligible_errors`)."""

    attempt: Attempt
    error: Exception
    kind: str | None
    """`None`: the error tells no kind, so it is raised at once."""


def failed_attempts(error: BaseException) -> tuple[FailedAttempt, ...]:
    """Return all attempts that led to an error of `run_with_fallback`, the raised one's last."""
    found: tuple[FailedAttempt, ...] = getattr(error, _ATTRIBUTE, ())
    return found


class AttemptSequence:
    """Iterates over a route's attempts and records how each ended.

    Iterate, make the attempt, then call `succeeded`, or raise where `goes_on_after` is false.
    Raises `NoAttempts` for a route without attempts.
    """

    def __init__(self, route: ResolvedRoute, *, runs: RunAffinity, events: FallbackEvents) -> None:
        self._route = route
        self._runs = runs
        self._events = events
        self._attempts = runs.order(route)
        self._failed: list[FailedAttempt] = []
        if not self._attempts:
            raise NoAttempts(f"nothing to try for the purpose {route.purpose!r}")

    @property
    def number(self) -> int:
        """The number of the present attempt; the first is 1."""
        return len(self._failed) + 1

    def __iter__(self) -> Iterator[Attempt]:
        for attempt in self._attempts:
            if self.number == _SECOND:
                kind = _kind(self._failed[-1])
                self._events.triggered(attempt, number=self.number, kind=kind)
            yield attempt

    def succeeded(self, attempt: Attempt) -> None:
        """Record that `attempt` answered: later calls of the run begin with it."""
        self._runs.keep(self._route, attempt)
        self._events.succeeded(attempt, number=self.number)

    def goes_on_after(self, error: Exception, attempt: Attempt, *, out_of_time: bool) -> bool:
        """Record that `attempt` failed; return whether the next attempt is to be made.

        Where it is not, `error` carries all attempts and is the one to raise.
        """
        number = self.number
        failed = FailedAttempt(attempt=attempt, error=error, kind=kind_of(error))
        self._failed.append(failed)
        eligible = is_eligible(failed.kind, self._route.eligible_errors)
        self._events.candidate_failed(
            attempt,
            number=number,
            kind=_kind(failed),
            known=failed.kind is not None,
            eligible=eligible,
        )
        if eligible and number < len(self._attempts) and not out_of_time:
            return True
        self._attach(error)
        if eligible:
            self._events.exhausted(attempts=number, kind=_kind(failed))
        return False

    def _attach(self, error: Exception) -> None:
        """Make the attempts known to `failed_attempts` and to readers of a traceback."""
        tried = ", ".join(f"{f.attempt.name} ({_kind(f)})" for f in self._failed)
        error.add_note(f"attempts: {tried}")
        try:
            setattr(error, _ATTRIBUTE, tuple(self._failed))
        except AttributeError:  # an exception with slots: the note says it all the same
            return


def _kind(failed: FailedAttempt) -> str:
    return failed.kind or type(failed.error).__name__
