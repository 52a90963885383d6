"""The collector is dead or hangs, the log's disk is full: decisions go on, and the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from chaos.parts.wire import Wire
from e2e.parts.pointsman import Service, pointsman_serve
from support.eventually import eventually
from support.otlp_sink import OtlpSink, grpc_collector
from support.ports import free_port


@contextlib.asynccontextmanager
async def _served(folder: Path, **environment: str) -> AsyncIterator[tuple[Service, RawCaller]]:
    with contextlib.ExitStack() as stack:
        served = pointsman_serve(folder, policy=policy(), environment=environment)
        service = await asyncio.to_thread(stack.enter_context, served)
        async with RawCaller(service.address) as caller:
            yield service, caller


COLLECTOR: dict[str, tuple[str, Callable[[Wire], Any]]] = {
    "dead": ("connections refused", Wire.cut),
    "hanging": ("connections accepted, nothing said", Wire.deaden),
}


@pytest.mark.parametrize("fault", COLLECTOR)
async def test_a_collector_that_fails_fails_no_caller_and_holds_up_no_end(
    fault: str, tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    done, breaks = COLLECTOR[fault]
    sink = OtlpSink()
    port = free_port()
    async with grpc_collector(sink) as url, Wire(port, int(url.rpartition(":")[2])) as wire:  # noqa: SIM117  (readable so)
        async with _served(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_BSP_SCHEDULE_DELAY="100",
            OTEL_METRIC_EXPORT_INTERVAL="200",
        ) as (service, caller):
            await caller.decide("first")
            await sink.until(lambda sink: bool(sink.spans))
            phases = await trial(caller.ask, pace=pace, fault=acts(lambda: breaks(wire)))
            stopping = time.perf_counter()
            await asyncio.to_thread(service.program.stop)
            stopped = time.perf_counter() - stopping
            ledger.add(
                Row(
                    fault=f"collector {fault}",
                    done=f"{done}, to the end",
                    load=RAW,
                    phases=phases,
                    besides=f"the process ended in {stopped:.1f} s",
                )
            )
            assert service.program.child.returncode == 0


async def _counted(service: Service, name: str) -> float:
    async with httpx.AsyncClient() as client:
        page = (await client.get(service.metrics_url)).text
    lines = [line for line in page.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_a_full_disk_costs_log_lines_and_no_call(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    async with _served(tmp_path) as (service, caller):
        log, kept = service.decision_log, tmp_path / "kept.jsonl"

        def fill() -> None:
            log.rename(kept)
            log.symlink_to("/dev/full")

        async def dropped() -> bool:
            return await _counted(service, "pointsman_decision_log_dropped") > 0

        async def empty() -> None:
            await eventually(dropped)
            log.unlink()

        await caller.decide("first")
        await eventually(log.exists)
        phases = await trial(caller.ask, pace=pace, fault=acts(fill, empty))
        lost = await _counted(service, "pointsman_decision_log_dropped")
        await eventually(lambda: log.exists() and os.stat(log).st_size > 0)  # noqa: PTH116
        ledger.add(
            Row(
                fault="disk full for the log",
                done="writes answer ENOSPC (/dev/full)",
                load=RAW,
                phases=phases,
                besides=f"{lost:.0f} lines dropped and counted; it went on after",
            )
        )
        whole = [line for path in (kept, log) for line in path.read_bytes().splitlines(True)]
        assert all(line.startswith(b"{") and line.endswith(b"}\n") for line in whole)
