"""Down the attempts of a route: the next one after an eligible error, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pointsman_client.events import FallbackEvents, telling
from pointsman_client.error_kinds import is_eligible, kind_of
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

Answer = TypeVar("Answer")
Call = Callable[[Attempt], Awaitable[Answer]]

_ATTRIBUTE = "pointsman_attempts"


class NoAttempts(LookupError):
    """The route has nothing to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """One attempt that failed: with which error, and its kind (see `eligible_errors`)."""

    attempt: Attempt
    error: Exception
    kind: str | None


def failed_attempts(error: BaseException) -> tuple[FailedAttempt, ...]:
    """All attempts that led to an error of `run_with_fallback`, the raised error's own last."""
    found: tuple[FailedAttempt, ...] = getattr(error, _ATTRIBUTE, ())
    return found


async def run_attempts(
    route: ResolvedRoute,
    call: Call[Answer],
    *,
    runs: RunAffinity,
    deadline: float | None,
    attempt_timeout: float | None,
) -> Answer:
    """The answer of the first attempt that gives one.

    `deadline` is on the loop's clock. Raises the last error, with all attempts attached; an error
    that is not eligible, and cancellation, are raised at once. Raises `NoAttempts`.
    """
    attempts = runs.order(route)
    if not attempts:
        raise NoAttempts(f"nothing to try for the purpose {route.purpose!r}")
    failed: list[FailedAttempt] = []
    with telling(route.purpose) as events:
        for number, attempt in enumerate(attempts, start=1):
            if failed and number == 2:  # noqa: PLR2004
                events.triggered(attempt, number=number, kind=_kind(failed[-1]))
            try:
                answer = await _attempted(
                    attempt,
                    call,
                    events=events,
                    number=number,
                    deadline=deadline,
                    timeout=attempt_timeout,
                )
            except Exception as error:
                kind = kind_of(error)
                failed.append(FailedAttempt(attempt=attempt, error=error, kind=kind))
                eligible = is_eligible(kind, route.eligible_errors)
                _note(events, failed, eligible=eligible)
                left = number < len(attempts) and not _is_over(deadline)
                if not eligible or not left:
                    _attach(error, failed)
                    if eligible:
                        events.exhausted(attempts=number, kind=_kind(failed[-1]))
                    raise
            else:
                runs.keep(route, attempt)
                events.succeeded(attempt, number=number)
                return answer
    raise AssertionError("the last attempt neither answered nor raised")


async def _attempted(
    attempt: Attempt,
    call: Call[Answer],
    *,
    events: FallbackEvents,
    number: int,
    deadline: float | None,
    timeout: float | None,  # noqa: ASYNC109  # of one attempt, beside the deadline of all
) -> Answer:
    """One attempt inside its span, bounded by its own timeout and by the deadline of all."""
    now = asyncio.get_running_loop().time()
    ends = [t for t in (deadline, None if timeout is None else now + timeout) if t is not None]
    with events.attempt(attempt, number=number) as span:
        try:
            async with asyncio.timeout_at(min(ends) if ends else None):
                return await call(attempt)
        except Exception as error:
            span.failed(kind_of(error) or type(error).__name__)
            raise


def _note(events: FallbackEvents, failed: Sequence[FailedAttempt], *, eligible: bool) -> None:
    last = failed[-1]
    events.candidate_failed(last.attempt, number=len(failed), kind=_kind(last), eligible=eligible)


def _kind(failed: FailedAttempt) -> str:
    return failed.kind or type(failed.error).__name__


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and asyncio.get_running_loop().time() >= deadline


def _attach(error: Exception, failed: Sequence[FailedAttempt]) -> None:
    """Make the attempts known to `failed_attempts`, and to whoever reads a traceback."""
    tried = ", ".join(f"{f.attempt.name} ({_kind(f)})" for f in failed)
    error.add_note(f"attempts: {tried}")
    try:
        setattr(error, _ATTRIBUTE, tuple(failed))
    except AttributeError:  # an exception with slots: the note says it all the same
        return
