"""The errors of Pointsman, as a tree.

PointsmanError
├── InvalidRequest      a request's fields are out of bounds; every bad one is named
├── UnknownPurpose      the policy file has no such purpose
├── UnknownProfile      the policy file has no such profile
├── Unauthenticated     no credentials, or wrong ones
├── TooLate             the deadline of a decision has passed
├── StreamEnded         the service ends a stream; unanswered requests were not read
├── Overloaded          over the concurrency limit; retry after `retry_after` seconds
├── EngineFailed        one engine could not answer; never reaches a caller as a status
├── EnginesFailed       none could; becomes outcome FAILED, never a status
├── SourceUnreadable    a flag source or a key file could not be read
├── SettingInvalid      a deployment setting cannot be honoured; it is named
├── ArtefactInvalid     the embedded engine's trained file is missing, corrupt or foreign
└── PolicyInvalid       a policy file has problems; every one is named with its path

Facts are attributes. `transport.errors` holds the one table that gives them a gRPC status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.core.model import EngineFailure


class PointsmanError(Exception):
    """Base of all errors of this service."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request (`caller.user_id`) and the error."""

    field: str
    description: str


class InvalidRequest(PointsmanError):
    """A request's fields are out of bounds."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in self.violations))


class Violations:
    """Collects the bad fields of a request while it is read; the first does not hide the others."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def bad(self, field: str, description: str) -> None:
        """Note that `field` is out of bounds."""
        self._violations.append(FieldViolation(field, description))

    def check(self) -> None:
        """Raise `InvalidRequest` if anything was noted."""
        if self._violations:
            raise InvalidRequest(self._violations)


class UnknownPurpose(PointsmanError):
    """The policy file has no such purpose. The name is the caller's text and is not stored."""


class UnknownProfile(PointsmanError):
    """The policy file has no such profile, or none for a purpose without a route."""


class Unauthenticated(PointsmanError):
    """No credentials, or wrong ones."""


class TooLate(PointsmanError):
    """The time that a decision was given has passed."""


class StreamEnded(PointsmanError):
    """The service takes nothing more from a stream; all that it took is answered."""


class Overloaded(PointsmanError):
    """Over the concurrency limit."""

    def __init__(self, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"over the concurrency limit; retry after {retry_after} s")


class EngineFailed(PointsmanError):
    """One engine could not answer."""

    def __init__(self, failure: EngineFailure, *, elapsed: float = 0.0) -> None:
        self.failures = (failure,)
        self.failure = failure
        self.elapsed = elapsed
        """Seconds that the engine was waited for; 0 when it was not called."""
        super().__init__(f"{failure.engine}: {failure.stage}")


class EnginesFailed(PointsmanError):
    """No engine could answer; one failure each, in call order."""

    def __init__(self, failures: Sequence[EngineFailure]) -> None:
        self.failures = tuple(failures)
        super().__init__(", ".join(f"{f.engine}: {f.stage}" for f in self.failures))


class SourceUnreadable(PointsmanError):
    """A flag source or a key file could not be read."""


class SettingInvalid(PointsmanError):
    """A deployment setting cannot be honoured."""

    def __init__(self, setting: str, why: str) -> None:
        self.setting = setting
        """The variable: `POINTSMAN_TLS_KEY_FILE`."""
        self.why = why
        super().__init__(f"{setting}: {why}")


class ArtefactInvalid(PointsmanError):
    """The embedded engine's trained file is missing, corrupt or made for other code."""

    def __init__(self, why: str, *, key: str | None = None) -> None:
        self.why = why
        self.key = key
        """The key of the policy file that names it, if one does."""
        super().__init__(f"artefact of the engine `local`: {f'{key}: ' if key else ''}{why}")


class LinesInvalid(PointsmanError):
    """Lines that cannot be learnt from. Each problem names line and field and quotes no prompt."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class TooFewLines(PointsmanError):
    """There are not enough labelled requests, or all have one label."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a policy file: its path there (`tiers.kilo-auto/small.policy`)."""

    path: str
    message: str


class PolicyInvalid(PointsmanError):
    """A policy file has problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in self.problems))
