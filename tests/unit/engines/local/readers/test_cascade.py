from __future__ import annotations

import threading
import time

import pytest
from pointsman_server.engines.local.readers.cascade import MOST_WAITING, CascadeReader
from pointsman_server.engines.local.readers.estimate import RequestEstimate

ALWAYS = 1.1


def an_estimate(easy: float) -> RequestEstimate:
    return RequestEstimate(
        effort=(easy, 0.0, 0.0, 0.0, 1.0 - easy),
        difficulty="easy",
        difficulty_confidence=easy,
        domains=(1.0, 0.0, 0.0, 0.0, 0.0),
        domain="general",
        domain_confidence=1.0,
        needs_info=0.0,
        turn=0.0,
    )


SURE, UNSURE, BETTER = an_estimate(0.95), an_estimate(0.6), an_estimate(0.7)


class Says:
    """A reader that says one thing, when it may."""

    version = "says"
    unsure = 0.8

    def __init__(self, said: RequestEstimate, *, gate: threading.Event | None = None) -> None:
        self._said = said
        self._gate = gate
        self.calls = 0

    def read(self, text: str) -> RequestEstimate:
        self.calls += 1
        if self._gate is not None:
            self._gate.wait(10)
        return self._said


def cascade(
    first: RequestEstimate, *, bound: float, gate: threading.Event | None = None
) -> tuple[CascadeReader, Says]:
    semantic = Says(BETTER, gate=gate)
    return CascadeReader(Says(first), semantic, bound=bound, deadline=0.05), semantic  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "bound", "found"),
    [(SURE, 0.8, SURE), (UNSURE, 0.8, BETTER), (SURE, ALWAYS, BETTER)],
)
async def test_the_semantic_reader_is_called_below_the_bound(
    first: RequestEstimate, bound: float, found: RequestEstimate
) -> None:
    reader, _ = cascade(first, bound=bound)
    assert reader.read("x") is found
    assert await reader.read_async("x") is found


async def test_a_late_semantic_reader_leaves_the_default_estimate() -> None:
    gate = threading.Event()
    reader, _ = cascade(UNSURE, bound=ALWAYS, gate=gate)
    assert await reader.read_async("x") is UNSURE
    gate.set()


async def test_near_the_callers_deadline_the_semantic_reader_has_only_what_is_left() -> None:
    gate = threading.Event()
    semantic = Says(BETTER, gate=gate)
    reader = CascadeReader(Says(UNSURE), semantic, bound=ALWAYS, deadline=30.0)  # type: ignore[arg-type]
    assert await reader.read_async("x", by=time.monotonic()) is UNSURE
    assert semantic.calls == 0
    began = time.monotonic()
    assert await reader.read_async("x", by=began + 0.05) is UNSURE
    assert time.monotonic() - began < 5
    gate.set()


async def test_a_busy_semantic_reader_is_not_waited_for_by_everybody() -> None:
    import asyncio

    gate = threading.Event()
    reader, semantic = cascade(UNSURE, bound=ALWAYS, gate=gate)
    found = await asyncio.gather(*(reader.read_async("x") for _ in range(4 * MOST_WAITING)))
    gate.set()
    assert set(map(id, found)) == {id(UNSURE)}
    assert semantic.calls <= MOST_WAITING


def test_a_file_of_requests_has_no_deadline() -> None:
    gate = threading.Event()
    reader, _ = cascade(UNSURE, bound=ALWAYS, gate=gate)
    threading.Timer(0.1, gate.set).start()
    assert reader.read("x") is BETTER
