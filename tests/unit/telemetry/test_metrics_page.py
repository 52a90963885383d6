"""The page for Prometheus, compared as text."""

from __future__ import annotations

import asyncio

import pytest
from pointsman_server.core.model import Mode
from pointsman_server.telemetry.metrics.page import PIECE, page
from pointsman_server.telemetry.metrics.recorder import Metrics
from prometheus_client import CollectorRegistry
from support.records import cached, routed

DECISIONS = """\
# HELP pointsman_decisions_total Requests answered, dry runs excepted.
# TYPE pointsman_decisions_total counter
pointsman_decisions_total{pointsman_agreement="true",pointsman_auto_model="kilo-auto/frontier",\
pointsman_outcome="routed",pointsman_policy="capability_heavy",pointsman_source="local"} 2.0
"""
DURATION = """\
# HELP pointsman_engine_duration_seconds Calls of an engine; a stage is set where the call failed.
# TYPE pointsman_engine_duration_seconds histogram
pointsman_engine_duration_seconds_bucket{le="0.0001",pointsman_engine="local"} 0.0
pointsman_engine_duration_seconds_bucket{le="0.00025",pointsman_engine="local"} 0.0
pointsman_engine_duration_seconds_bucket{le="0.0005",pointsman_engine="local"} 0.0
pointsman_engine_duration_seconds_bucket{le="0.001",pointsman_engine="local"} 0.0
pointsman_engine_duration_seconds_bucket{le="0.0025",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.005",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.01",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.025",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.05",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.1",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.25",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="0.5",pointsman_engine="local"} 1.0
pointsman_engine_duration_seconds_bucket{le="1.0",pointsman_engine="local"} 2.0
pointsman_engine_duration_seconds_bucket{le="2.5",pointsman_engine="local"} 2.0
pointsman_engine_duration_seconds_bucket{le="5.0",pointsman_engine="local"} 2.0
pointsman_engine_duration_seconds_bucket{le="10.0",pointsman_engine="local"} 2.0
pointsman_engine_duration_seconds_bucket{le="+Inf",pointsman_engine="local"} 2.0
pointsman_engine_duration_seconds_sum{pointsman_engine="local"} 0.752
pointsman_engine_duration_seconds_count{pointsman_engine="local"} 2.0
"""
STATES = """\
# HELP pointsman_in_flight Requests being answered.
# TYPE pointsman_in_flight gauge
pointsman_in_flight 3.0
"""
INFO = """\
# HELP pointsman_policy_info Always 1; its attributes say which policy file is in force.
# TYPE pointsman_policy_info gauge
pointsman_policy_info{pointsman_mode="shadow",pointsman_policy_version="9f86"} 1.0
"""


def registry(metrics: Metrics, target: dict[str, str] | None = None) -> CollectorRegistry:
    found = CollectorRegistry(auto_describe=False, target_info=target)
    found.register(metrics)
    return found


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="0.1.0", python="3.11.9")
    metrics.on_decision(routed())
    metrics.on_decision(cached())
    metrics.engine_call("local", seconds=0.002)
    metrics.engine_call("local", seconds=0.75)
    metrics.in_flight(3)
    metrics.policy(version="9f86", mode=Mode.SHADOW)
    return metrics


@pytest.mark.parametrize("text", [DECISIONS, DURATION, STATES, INFO])
async def test_a_family_is_written_with_its_name_help_type_and_labels(
    metrics: Metrics, text: str
) -> None:
    assert text in (await page(registry(metrics))).decode()


async def test_a_family_without_numbers_is_left_out(metrics: Metrics) -> None:
    assert "pointsman_circuit_probes" not in (await page(registry(metrics))).decode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("pointsman", "pointsman"),
        ('quote"', r"quote\""),
        ("back\\slash", r"back\\slash"),
        ("line\nfeed", r"line\nfeed"),
        ("ünïcode", "ünïcode"),
    ],
)
async def test_the_resource_is_target_info_and_its_values_are_escaped(
    value: str, written: str
) -> None:
    metrics = Metrics(version="0.1.0", python="3.11.9")
    text = (await page(registry(metrics, {"service_name": value}))).decode()
    assert text.startswith(
        "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
        f'target_info{{service_name="{written}"}} 1.0\n'
    )


async def test_a_family_in_pieces_has_one_head_and_lets_the_loop_run() -> None:
    metrics = Metrics(version="0.1.0", python="3.11.9")
    for number in range(4 * PIECE):
        metrics.call("RouteDecision", caller=f"caller-{number}", status="OK")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    text = (await page(registry(metrics))).decode()
    counting.cancel()

    lines = text.splitlines()
    assert lines.count("# TYPE pointsman_calls_total counter") == 1
    assert sum(line.startswith("pointsman_calls_total{") for line in lines) == 4 * PIECE
    assert len([line for line in lines if line.startswith("# HELP pointsman_calls_total ")]) == 1
    assert turns > 4
