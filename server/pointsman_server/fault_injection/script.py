"""Scripted faults, and a record of received calls, for tests.

A step describes one answer. It may set the body (`body`, `json`, `wrong_model`,
`redirect`; `status` alone is an error of that status) and the delivery
(`broken_body`, `stall_body`, `slow_body_ms_per_byte`, `huge_body_bytes`, `reset`,
`endless_interim`); `delay_ms` and `times` combine with everything. Without a body, the real answer
is sent.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.fault_injection.step_fields import BODIES, FIELDS, FRAMINGS

FOREVER = -1
REMEMBERED_CALLS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStep:
    """The fault of one call, or of `times` consecutive calls."""

    status: int | None = None
    delay_ms: float = 0.0
    literal: bytes | None = None
    """The body as sent, from `body` or `json`."""
    wrong_model: str | None = None
    redirect: str | None = None
    broken_body: bool = False
    stall_body: bool = False
    slow_body_ms_per_byte: float = 0.0
    huge_body_bytes: int = 0
    reset: bool = False
    endless_interim: bool = False
    """`100 Continue` without end."""
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it arrived; credentials are redacted."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    key_fingerprint: str | None
    """Twelve hex digits of the SHA-256 of the bearer key; `None` without one."""
    body: Any
    """The JSON value, or text where it is none."""


class FaultScript:
    """Steps to come, and calls that came. One event loop uses it; it takes no lock."""

    def __init__(self, steps: Sequence[Mapping[str, Any]] = ()) -> None:
        """`steps` as JSON objects; raises `InvalidRequest` that names every bad field."""
        self._steps: deque[FaultStep] = deque()
        self._left = 0
        self._calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self._count = 0
        self.load(steps)

    def load(self, steps: object) -> None:
        """Replace the steps that are left."""
        read = read_steps(steps)
        self._steps = deque(read)
        self._left = read[0].times if read else 0

    def next(self) -> FaultStep | None:
        """The step for the call that is being answered; `None`: answer truly."""
        if not self._steps:
            return None
        step = self._steps[0]
        if self._left != FOREVER:
            self._left -= 1
            if self._left == 0:
                self._steps.popleft()
                self._left = self._steps[0].times if self._steps else 0
        return step

    @property
    def steps_left(self) -> int:
        """The number of remaining steps."""
        return len(self._steps)

    def record(self, call: Call) -> None:
        """Remember a call; the oldest go first."""
        self._calls.append(call)
        self._count += 1

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls since the last `forget`, oldest first, at most `REMEMBERED_CALLS`."""
        return tuple(self._calls)

    @property
    def count(self) -> int:
        """The number of calls since the last `forget`."""
        return self._count

    def forget(self) -> None:
        """Forget the calls."""
        self._calls.clear()
        self._count = 0


def read_steps(raw: object) -> tuple[FaultStep, ...]:
    """A list of JSON objects as steps; raises `InvalidRequest` that names every bad field."""
    if isinstance(raw, str | bytes | Mapping) or not isinstance(raw, Sequence):
        raise InvalidRequest([FieldViolation("faults", "must be a list of steps")])
    bad: list[FieldViolation] = []
    for i, step in enumerate(raw):
        bad += [FieldViolation(f"[{i}]{field}", why) for field, why in _problems(step)]
    if bad:
        raise InvalidRequest(bad)
    return tuple(_step(step) for step in raw)


def _problems(step: object) -> list[tuple[str, str]]:
    if not isinstance(step, Mapping):
        return [("", "must be a JSON object")]
    found: list[tuple[str, str]] = []
    for name, value in step.items():
        rule = FIELDS.get(name)
        if rule is None:
            found.append((f".{name}", f"is not known; known are {', '.join(FIELDS)}"))
        elif not rule.holds(value):
            found.append((f".{name}", rule.says))
    for group in (BODIES, FRAMINGS):
        named = [name for name in group if name in step]
        found += [(f".{name}", f"does not go with {named[0]}") for name in named[1:]]
    return found


def _step(raw: Mapping[str, Any]) -> FaultStep:
    plain = {name: value for name, value in raw.items() if name not in ("body", "json")}
    literal = raw["body"].encode() if "body" in raw else None
    if "json" in raw:
        literal = json.dumps(raw["json"]).encode()
    return FaultStep(literal=literal, **plain)
