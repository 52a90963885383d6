"""The protocol between the supervisor and a worker, over a dedicated socket pair.

The supervisor sends the worker's assignment; the worker reports its addresses once it serves. Each
message is one line of JSON. The end of the pair tells either side that the other has ended.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

VARIABLE = "POINTSMAN_WORKER_LINE"
"""Names the worker's end: a file descriptor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings of the supervisor, without secrets, because they are command-line arguments."""

    host: str
    port: int
    """0: any free one."""
    workers: int
    stop_within: float
    """Seconds that workers get to stop before they are killed."""
    log_level: str
    log_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAssignment:
    """Differences between a worker and a standalone server."""

    index: int
    """From 0; the worker's own ports are that much above those in the settings."""
    port: int
    """Of gRPC, shared by all workers."""
    hash_key: str
    """Random, in hex: hashes ids where the settings have no key, alike in all workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady:
    """Addresses and configuration that a worker serves."""

    start_line: str
    admin_port: int | None
    metrics_port: int | None


def dumped(told: WorkerAssignment | WorkerReady) -> bytes:
    """Encode a message as one line."""
    return json.dumps(asdict(told)).encode() + b"\n"


def duty_of(line: bytes) -> WorkerAssignment:
    """The supervisor's line. Raises `ValueError` or `TypeError` for any other."""
    return WorkerAssignment(**json.loads(line))


def report_of(line: bytes) -> WorkerReady:
    """The worker's line. Raises `ValueError` or `TypeError` for any other."""
    return WorkerReady(**json.loads(line))


def plan_text(plan: Plan) -> str:
    """Encode the plan as JSON."""
    return json.dumps(asdict(plan))


def plan_of(text: str) -> Plan:
    """The plan that `text` is. Raises `ValueError` or `TypeError` where it is none."""
    return Plan(**json.loads(text))
