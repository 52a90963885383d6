"""A worker's end of the line to its supervisor."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from pointsman_server.bootstrap.worker_link import SupervisorLink
from pointsman_server.supervisor.protocol import (
    VARIABLE,
    Plan,
    WorkerAssignment,
    WorkerReady,
    dumped,
    plan_of,
    plan_text,
    report_of,
)

DUTY = WorkerAssignment(index=2, port=50051, hash_key="00ff")
REPORT = WorkerReady(start_line="pointsman serving on ...", admin_port=50054, metrics_port=9466)


@pytest.fixture
def ends():
    supervisor, worker = socket.socketpair()
    with supervisor:
        supervisor.sendall(dumped(DUTY))
        line = SupervisorLink.of({VARIABLE: str(worker.detach())})
        with line._connection:
            yield supervisor, line


def test_a_server_of_its_own_has_no_line():
    assert SupervisorLink.of({}) is None


def test_the_duty_arrives_and_the_report_goes_back(ends):
    supervisor, line = ends
    assert line.duty == DUTY
    line.report(REPORT)
    assert report_of(supervisor.makefile("rb").readline()) == REPORT


def test_what_a_worker_starts_does_not_hold_the_line(ends):
    _, line = ends
    assert not os.get_inheritable(line._connection.fileno())


async def test_the_end_of_the_supervisor_is_told_once(ends):
    supervisor, line = ends
    lost = asyncio.Event()
    told = []

    def on_lost():
        told.append("lost")
        lost.set()

    with line.watched(on_lost):
        await asyncio.sleep(0)
        assert told == []
        supervisor.close()
        await lost.wait()
        await asyncio.sleep(0)
    assert told == ["lost"]


async def test_a_report_to_a_supervisor_that_is_gone_is_no_error(ends):
    supervisor, line = ends
    supervisor.close()
    line.report(REPORT)


def test_a_plan_is_read_as_it_was_written():
    plan = Plan(
        host="::1", port=0, workers=4, stop_within=20.5, log_level="info", log_format="json"
    )
    assert plan_of(plan_text(plan)) == plan
