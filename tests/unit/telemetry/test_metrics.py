import pytest
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Dropped, DropReason, Mode, Reason, Verdict
from pointsman_server.telemetry.metrics import catalog as i
from pointsman_server.telemetry.metrics.accumulators import Histogram
from pointsman_server.telemetry.metrics.families import OVERFLOW_ATTRIBUTE
from pointsman_server.telemetry.metrics.instrument import Instrument
from pointsman_server.telemetry.metrics.recorder import Metrics
from support.records import cached, failed, fell_back, resolved, routed, skipped, switched, unrouted


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="0.1.0", python="3.11.9")


def points(metrics: Metrics, instrument: Instrument) -> dict[tuple[object, ...], object]:
    """Values by attribute values, in the instrument's order."""
    reading = next(r for r in metrics.collect() if r.instrument is instrument)
    return {
        tuple(point.attributes.get(name) for name in instrument.attributes): point.value
        for point in reading.points
    }


DECISIONS = [
    (routed(), ("routed", None, "local", "kilo-auto/frontier", "capability_heavy", True)),
    (cached(), ("routed", None, "local", "kilo-auto/frontier", "capability_heavy", True)),
    (
        routed(static_pick="unlisted"),
        ("routed", None, "local", "kilo-auto/frontier", "capability_heavy", False),
    ),
    (
        routed(static_pick=None),
        ("routed", None, "local", "kilo-auto/frontier", "capability_heavy", None),
    ),
    (fell_back(), ("routed", None, "local", "kilo-auto/frontier", "capability_heavy", True)),
    (failed(), ("failed", "engines_failed", None, "kilo-auto/frontier", None, None)),
    (skipped(), ("skipped", "no_prompt", None, "kilo-auto/frontier", None, None)),
    (
        unrouted(Verdict.OFF, Reason.FLAG_OFF),
        ("off", "flag_off", None, "kilo-auto/frontier", None, None),
    ),
]


@pytest.mark.parametrize(("record", "key"), DECISIONS)
def test_a_decision_counts_by_what_became_of_it(
    metrics: Metrics, record: DecisionRecord, key: tuple[object, ...]
) -> None:
    metrics.on_decision(record)
    metrics.on_decision(record)

    assert points(metrics, i.DECISIONS) == {key: 2}


def test_attribute_values_are_plain_strings_and_booleans(metrics: Metrics) -> None:
    metrics.on_decision(routed())

    for reading in metrics.collect():
        for point in reading.points:
            assert {type(v) for v in point.attributes.values()} <= {str, bool}


def test_durations_tell_cached_answers_from_others(metrics: Metrics) -> None:
    metrics.on_decision(routed(total_seconds=0.0035))
    metrics.on_decision(cached())

    spreads = points(metrics, i.DECISION_DURATION)

    assert set(spreads) == {("routed", "local", False), ("routed", "local", True)}
    spread = spreads["routed", "local", False]
    assert isinstance(spread, Histogram)
    assert (spread.count, spread.total, spread.lowest, spread.highest) == (
        1,
        0.0035,
        0.0035,
        0.0035,
    )


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.000_1, 0), (0.000_100_1, 1), (10.0, 15), (10.1, 16)]
)
def test_a_bucket_takes_its_upper_bound_in(metrics: Metrics, seconds: float, bucket: int) -> None:
    metrics.engine_call("local", seconds=seconds)

    spread = points(metrics, i.ENGINE_DURATION)["local", None]

    assert isinstance(spread, Histogram)
    assert spread.buckets.index(1) == bucket
    assert len(spread.buckets) == len(spread.bounds) + 1


def test_a_dry_run_stays_out_of_all_figures_but_its_own(metrics: Metrics) -> None:
    metrics.on_decision(routed(dry_run=True))

    assert points(metrics, i.DRY_RUNS) == {("routed",): 1}
    for instrument in (i.DECISIONS, i.DECISION_DURATION, i.SWITCHES, i.CANDIDATES_DROPPED):
        assert points(metrics, instrument) == {}


def test_a_switch_counts_by_its_reason(metrics: Metrics) -> None:
    metrics.on_decision(switched())

    assert points(metrics, i.SWITCHES) == {("upgrade",): 1}


def test_dropped_candidates_count_by_reason_routed_or_not(metrics: Metrics) -> None:
    dropped = (
        Dropped(model="one", reason=DropReason.DENIED),
        Dropped(model="two", reason=DropReason.DENIED),
    )
    metrics.on_decision(routed())
    metrics.on_decision(unrouted(Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES, dropped=dropped))

    assert points(metrics, i.CANDIDATES_DROPPED) == {("unmapped",): 1, ("denied",): 2}


def test_a_failing_engine_counts_by_stage_and_only_if_called_has_a_duration(
    metrics: Metrics,
) -> None:
    metrics.engine_call("morph", seconds=5.0, stage="timeout")
    metrics.engine_call("morph", seconds=0.0, stage="circuit_open")
    metrics.engine_call("morph", seconds=0.2)

    assert points(metrics, i.ENGINE_FAILURES) == {
        ("morph", "timeout"): 1,
        ("morph", "circuit_open"): 1,
    }
    assert set(points(metrics, i.ENGINE_DURATION)) == {("morph", "timeout"), ("morph", None)}


def test_the_failures_of_one_engine_are_told_by_stage(metrics: Metrics) -> None:
    metrics.engine_call("morph", seconds=5.0, stage="timeout")
    metrics.engine_call("morph", seconds=5.0, stage="timeout")
    metrics.engine_call("local", seconds=0.1, stage="unexpected_error")

    assert metrics.engine_failures("morph") == {"timeout": 2}
    assert metrics.engine_failures("other") == {}


def test_what_a_circuit_does_is_counted(metrics: Metrics) -> None:
    for state in ("open", "half_open", "open", "half_open", "closed"):
        metrics.circuit_entered("morph", state)
    metrics.probed("morph", "failed")
    metrics.probed("morph", "answered")
    metrics.engine_refused("morph")

    assert points(metrics, i.CIRCUIT_TRANSITIONS) == {
        ("morph", "open"): 2,
        ("morph", "half_open"): 2,
        ("morph", "closed"): 1,
    }
    assert points(metrics, i.CIRCUIT_PROBES) == {("morph", "failed"): 1, ("morph", "answered"): 1}
    assert points(metrics, i.ENGINE_REFUSED) == {("morph",): 1}


def test_a_resolution_counts_by_its_route_and_a_dry_run_does_not(metrics: Metrics) -> None:
    metrics.resolved(resolved())
    metrics.resolved(resolved(tier=None, overridden=True))
    metrics.resolved(resolved(dry_run=True))

    assert points(metrics, i.RESOLUTIONS) == {
        ("plan_create", "first", "kilo-auto/frontier", False): 1,
        ("plan_create", "first", None, True): 1,
    }
    assert set(points(metrics, i.RESOLUTION_DURATION)) == {("kilo-auto/frontier",), (None,)}


def test_load_shedding_cache_and_reloads_are_counted(metrics: Metrics) -> None:
    metrics.in_flight(1)
    metrics.in_flight(1)
    metrics.in_flight(-1)
    metrics.shed()
    metrics.cache_lookup("hit")
    metrics.cache_lookup("error")
    metrics.cache_write_failed()
    metrics.reload(ok=True)
    metrics.reload(ok=False)

    assert points(metrics, i.IN_FLIGHT) == {(): 1}
    assert points(metrics, i.SHED) == {(): 1}
    assert points(metrics, i.CACHE_LOOKUPS) == {("hit",): 1, ("error",): 1}
    assert points(metrics, i.CACHE_WRITE_FAILURES) == {(): 1}
    assert points(metrics, i.POLICY_RELOADS) == {("taken",): 1, ("refused",): 1}


def test_what_has_no_attributes_shows_zero_before_it_happens(metrics: Metrics) -> None:
    for instrument in (i.SHED, i.CACHE_WRITE_FAILURES, i.IN_FLIGHT):
        assert points(metrics, instrument) == {(): 0}


def test_the_policy_in_force_replaces_the_former_one(metrics: Metrics) -> None:
    metrics.policy(version="one", mode=Mode.SHADOW)
    metrics.policy(version="two", mode=Mode.SERVE)

    assert points(metrics, i.POLICY_INFO) == {("two", "serve"): 1}


def test_a_watched_number_is_read_at_each_collection_from_the_last_one_named(
    metrics: Metrics,
) -> None:
    sizes = iter([1, 2])
    metrics.watch(i.CACHE_ENTRIES, lambda: {(): 99})
    metrics.watch(i.CACHE_ENTRIES, lambda: {(): next(sizes)})

    assert points(metrics, i.CACHE_ENTRIES) == {(): 1}
    assert points(metrics, i.CACHE_ENTRIES) == {(): 2}


def test_a_watched_number_that_fails_hides_no_other(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.watch(i.CACHE_ENTRIES, lambda: {(): 1 // 0})
    metrics.watch(i.LOG_LINES, lambda: {(): 7})

    assert points(metrics, i.CACHE_ENTRIES) == {}
    assert points(metrics, i.LOG_LINES) == {(): 7}
    assert "pointsman.cache.entries could not be read" in caplog.text


def test_cells_beyond_the_limit_share_one(metrics: Metrics) -> None:
    for number in range(2_500):
        metrics.engine_call("morph", seconds=0.1, stage=f"http_{number}")

    for instrument in (i.ENGINE_FAILURES, i.ENGINE_DURATION):
        reading = next(r for r in metrics.collect() if r.instrument is instrument)
        assert len(reading.points) == 2_001
        rest = [p for p in reading.points if OVERFLOW_ATTRIBUTE in p.attributes]
        assert len(rest) == 1
        value = rest[0].value
        assert (value.count if isinstance(value, Histogram) else value) == 500


def test_a_reading_does_not_change_with_what_comes_after(metrics: Metrics) -> None:
    metrics.engine_call("local", seconds=0.1)
    before = list(metrics.collect())
    metrics.engine_call("local", seconds=0.1)

    reading = next(r for r in before if r.instrument is i.ENGINE_DURATION)
    assert isinstance(reading.points[0].value, Histogram)
    assert reading.points[0].value.count == 1
