"""What the supervisor has to know of the settings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """No secret: it stands on a command line."""

    host: str
    port: int
    """0: any free one."""
    workers: int
    stop_within: float
    """Seconds that workers get to stop before they are killed."""
    log_level: str
    log_format: str


def dumped(plan: Plan) -> str:
    """The plan as text."""
    return json.dumps(asdict(plan))


def plan_of(text: str) -> Plan:
    """The plan that `text` is. Raises `ValueError` or `TypeError` where it is none."""
    return Plan(**json.loads(text))
