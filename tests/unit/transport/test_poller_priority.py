"""A thread that gives way to others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pointsman_server.transport import poller_priority as poller


@contextmanager
def waiting_thread() -> Iterator[threading.Thread]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread
    end.set()
    thread.join()


def niceness(thread: threading.Thread) -> int:
    assert thread.native_id is not None
    return os.getpriority(os.PRIO_PROCESS, thread.native_id)


def test_a_thread_gives_way_and_no_other_does() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with waiting_thread() as thread:
        poller.give_way(thread)
        assert niceness(thread) == own + poller.NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_elsewhere_than_on_linux_no_thread_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller.sys, "platform", "darwin")
    with waiting_thread() as thread:
        before = niceness(thread)
        poller.give_way(thread)
        assert niceness(thread) == before


def test_a_system_that_does_not_allow_it_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def refuse(*asked: int) -> None:
        refused.append(asked)
        raise PermissionError(1, "no")

    monkeypatch.setattr(poller.os, "setpriority", refuse)
    with waiting_thread() as thread:
        poller.give_way(thread)
    assert len(refused) == 1
