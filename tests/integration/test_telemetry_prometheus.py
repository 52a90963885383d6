"""The Prometheus endpoint shows what a collector is sent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.core.model import Mode, Reason
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry import Telemetry, build_telemetry
from prometheus_client.parser import text_string_to_metric_families
from support.otlp_sink import OtlpSink, attributes, grpc_collector
from support.ports import free_port
from support.records import (
    cached,
    failed,
    fell_back,
    routed,
    skipped,
    switched,
)

SILENT = LogRules(stdout=False)


@asynccontextmanager
async def served(**environment: str) -> AsyncIterator[Telemetry]:
    built = await build_telemetry(environment=environment, log=SILENT, prometheus="127.0.0.1:0")
    try:
        yield built
    finally:
        await built.aclose(bound=10.0)


async def scrape(built: Telemetry) -> str:
    assert built.prometheus_port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", built.prometheus_port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 200 OK")
    return body.decode()


def tell_everything(built: Telemetry) -> None:
    """One of everything that is counted."""
    for record in (
        routed(),
        cached(),
        switched(),
        fell_back(),
        failed(),
        skipped(),
        skipped(Reason.UNKNOWN_TIER),
        routed(dry_run=True),
        routed(static_pick=None, total_seconds=7.5),
    ):
        built.metrics.on_decision(record)
    metrics = built.metrics
    metrics.engine_call("morph", seconds=5.0, stage="timeout")
    metrics.engine_call("local", seconds=0.001)
    metrics.cache_lookup("hit")
    metrics.cache_lookup("miss")
    metrics.cache_write_failed()
    metrics.circuit_entered("morph", "open")
    metrics.probed("morph", "failed")
    metrics.engine_refused("morph")
    built.watch_circuits(lambda: {"morph": "open"})
    built.watch_engine_calls(lambda: {"morph": 2})
    metrics.in_flight(3)
    metrics.shed()
    metrics.reload(ok=False)
    metrics.policy(version="9f86", mode=Mode.SHADOW)
    built.watch_cache_size(lambda: 17)


def of_page(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The page's numbers, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name != "target_info"
    }


def of_collector(
    metrics: Iterable[Metric],
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The same, from what a collector was sent, by OpenTelemetry's rules for names."""
    numbers: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for metric in metrics:
        name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
        for point in (*metric.sum.data_points, *metric.gauge.data_points):
            total = "_total" if metric.sum.is_monotonic else ""
            numbers[name + total, labels(point)] = point.as_double or point.as_int
        for spread in metric.histogram.data_points:
            numbers[f"{name}_sum", labels(spread)] = spread.sum
            numbers[f"{name}_count", labels(spread)] = spread.count
            below = 0
            for bound, count in zip(
                (*spread.explicit_bounds, "+Inf"), spread.bucket_counts, strict=True
            ):
                below += count
                numbers[f"{name}_bucket", labels(spread, le=str(bound))] = below
    return numbers


def labels(point: NumberDataPoint | HistogramDataPoint, **more: str) -> frozenset[tuple[str, str]]:
    pairs = attributes(point.attributes) | more
    return frozenset(
        (key.replace(".", "_"), str(value).lower() if isinstance(value, bool) else value)
        for key, value in pairs.items()
    )


async def test_a_scrape_shows_the_numbers_that_a_collector_is_sent() -> None:
    sink = OtlpSink()
    async with (
        grpc_collector(sink) as endpoint,
        served(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_METRIC_EXPORT_INTERVAL="20") as built,
    ):
        tell_everything(built)
        page = of_page(await scrape(built))
        await sink.until(lambda s: "pointsman.cache.entries" in s.metrics)

    sent = of_collector(sink.metrics.values())
    assert page == sent
    assert sum(v for (name, _), v in page.items() if name == "pointsman_decisions_total") == 8
    assert page["pointsman_cache_entries", frozenset()] == 17


async def test_tasks_of_the_loop_count_until_they_are_done() -> None:
    held = asyncio.Event()

    async def tasks(built: Telemetry) -> float:
        return of_page(await scrape(built))["pointsman_loop_tasks", frozenset()]

    async with served() as built:
        built.watch_loop(asyncio.get_running_loop())
        before = await tasks(built)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(held.wait())
            assert await tasks(built) == before + 5
            held.set()
        assert await tasks(built) == before


async def test_it_needs_no_collector_and_says_what_runs() -> None:
    async with served() as built:
        page = await scrape(built)

    assert 'service_name="pointsman"' in page
    assert "pointsman_build_info{" in page
    assert "pointsman_in_flight 0" in page


async def test_without_an_address_it_listens_nowhere() -> None:
    built = await build_telemetry(environment={}, log=SILENT)

    assert built.prometheus_port is None
    await built.aclose(bound=1.0)


async def test_an_address_that_is_taken_is_an_error_that_leaves_nothing_running() -> None:
    async with served() as built:
        taken = f"127.0.0.1:{built.prometheus_port}"
        why = f"POINTSMAN_METRICS_LISTEN: cannot listen on {taken}: Address already in use"
        with pytest.raises(SettingInvalid, match=why):
            await build_telemetry(environment={}, log=SILENT, prometheus=taken)


def two_ports() -> int:
    """A port that nobody listens on, before another such."""
    while True:
        first = free_port()
        with socket.socket() as second:
            try:
                second.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
            return first


async def test_workers_have_ports_side_by_side_and_instances_of_their_own() -> None:
    async with AsyncExitStack() as stack:
        first = two_ports()
        pages = []
        for worker in range(2):
            built = await build_telemetry(
                environment={"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=replica-1"},
                log=SILENT,
                prometheus=f"127.0.0.1:{first}",
                worker=worker,
            )
            stack.push_async_callback(built.aclose, bound=1.0)
            assert built.prometheus_port == first + worker
            pages.append(await scrape(built))

    for worker, page in enumerate(pages):
        assert f'service_instance_id="replica-1/{worker}"' in page


async def test_a_worker_for_which_no_port_is_left_says_so() -> None:
    with pytest.raises(
        SettingInvalid,
        match="METRICS_LISTEN: worker 3 has no port left for its metrics above 65533",
    ):
        await build_telemetry(environment={}, log=SILENT, prometheus="127.0.0.1:65533", worker=3)
