import pytest
from pointsman_server.core.model import Mode
from pointsman_server.telemetry.exposition import exposition, metric_name
from pointsman_server.telemetry.metrics import catalog as i
from pointsman_server.telemetry.metrics.recorder import Metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.records import cached, routed


def families(metrics: Metrics, target: dict[str, str] | None = None) -> dict[str, Metric]:
    page = exposition(metrics.collect(), target=target or {})
    return {family.name: family for family in text_string_to_metric_families(page)}


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="0.1.0", python="3.11.9")
    metrics.on_decision(routed())
    metrics.on_decision(cached())
    metrics.engine_call("local", seconds=0.002)
    metrics.circuit_entered("morph", "open")
    metrics.policy(version="9f86", mode=Mode.SHADOW)
    return metrics


def test_a_counter_is_named_total_and_labelled(metrics: Metrics) -> None:
    (sample,) = families(metrics)["pointsman_decisions"].samples

    assert sample.name == "pointsman_decisions_total"
    assert sample.value == 2
    assert sample.labels == {
        "pointsman_outcome": "routed",
        "pointsman_source": "local",
        "pointsman_auto_model": "kilo-auto/frontier",
        "pointsman_policy": "capability_heavy",
        "pointsman_agreement": "true",
    }


def test_a_histogram_is_in_seconds_and_its_buckets_add_up(metrics: Metrics) -> None:
    family = families(metrics)["pointsman_engine_duration_seconds"]
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}

    assert family.type == "histogram"
    assert buckets["0.001"] == 0
    assert buckets["0.0025"] == buckets["+Inf"] == 1
    assert len(buckets) == len(i.DURATION_BOUNDS) + 1
    assert {s.name: s.value for s in family.samples if "le" not in s.labels} == {
        "pointsman_engine_duration_seconds_sum": 0.002,
        "pointsman_engine_duration_seconds_count": 1,
    }


def test_every_instrument_with_a_number_is_a_family_with_help(metrics: Metrics) -> None:
    found = families(metrics)

    for reading in metrics.collect().readings:
        name = metric_name(reading.instrument).removesuffix("_total")
        assert (name in found) == bool(reading.points), name
        if reading.points:
            assert found[name].documentation == reading.instrument.description


def test_the_resource_is_target_info(metrics: Metrics) -> None:
    (sample,) = families(metrics, {"service.name": "pointsman"})["target_info"].samples

    assert sample.labels == {"service_name": "pointsman"}


@pytest.mark.parametrize("text", ['quote"', "back\\slash", "line\nfeed", 'all\\"\n', "ünïcode"])
def test_any_label_value_survives(metrics: Metrics, text: str) -> None:
    (sample,) = families(metrics, {"service.name": text})["target_info"].samples

    assert sample.labels == {"service_name": text}
