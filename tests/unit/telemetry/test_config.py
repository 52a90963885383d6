import os
from dataclasses import replace
from pathlib import Path

import pytest
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry import build_telemetry, tracing
from pointsman_server.telemetry.config import (
    BatchRules,
    OtlpTarget,
    SamplerRules,
    read_environment,
)
from pointsman_server.telemetry.tracing.provider import build_propagator


def test_an_empty_environment_exports_nothing() -> None:
    rules = read_environment({})

    assert rules.spans.exporters == rules.metrics.exporters == ()
    assert (rules.spans.otlp, rules.metrics.otlp, rules.prometheus) == (None, None, None)
    assert rules.resource == {"service.name": "pointsman"}
    assert rules.propagators == ("tracecontext",)
    assert rules.sampler == SamplerRules(share=1.0, follow_caller=True)
    assert rules.batch == BatchRules(delay=5.0, size=512, queue=2_048)
    assert rules.metric_interval == 60.0


def test_an_endpoint_is_enough() -> None:
    rules = read_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"})

    target = OtlpTarget(protocol="grpc", endpoint="http://collector:4317", headers={}, timeout=10.0)
    assert rules.spans.otlp == rules.metrics.otlp == target


def test_a_signal_wins_over_what_is_common() -> None:
    rules = read_environment(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://common:4318/",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=a%20b, other = c",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://spans:4318/in",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "500",
        }
    )

    headers = {"X-Key": "a b", "other": "c"}
    assert rules.spans.otlp == OtlpTarget(
        protocol="http/protobuf", endpoint="https://spans:4318/in", headers=headers, timeout=2.5
    )
    assert rules.metrics.otlp == OtlpTarget(
        protocol="grpc", endpoint="http://common:4318/", headers=headers, timeout=0.5
    )


def test_a_common_http_endpoint_gets_the_path_of_the_signal() -> None:
    rules = read_environment(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
    )

    assert rules.spans.otlp is not None
    assert rules.metrics.otlp is not None
    assert rules.spans.otlp.endpoint == "http://collector:4318/v1/traces"
    assert rules.metrics.otlp.endpoint == "http://collector:4318/v1/metrics"


EXPORTERS = [
    ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",), ()),
    ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp"), ()),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_METRICS_EXPORTER": "none"},
        ("otlp",),
        (),
    ),
    ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, (), ("otlp",)),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_SDK_DISABLED": "TRUE"}, (), ()),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, (), ()),
    ({"OTEL_METRICS_EXPORTER": "prometheus,console"}, (), ("console",)),
]


@pytest.mark.parametrize(("environ", "spans", "metrics"), EXPORTERS)
def test_exporters_are_those_named(
    environ: dict[str, str], spans: tuple[str, ...], metrics: tuple[str, ...]
) -> None:
    rules = read_environment(environ)

    assert (rules.spans.exporters, rules.metrics.exporters) == (spans, metrics)


def test_prometheus_can_be_asked_for_by_its_standard_variables() -> None:
    asked = {"OTEL_METRICS_EXPORTER": "prometheus"}

    assert read_environment(asked).prometheus == ("localhost", 9464)
    assert read_environment(
        asked | {"OTEL_EXPORTER_PROMETHEUS_HOST": "::", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    ).prometheus == ("::", 0)
    assert read_environment(asked | {"OTEL_SDK_DISABLED": "true"}).prometheus is None


@pytest.mark.parametrize(
    ("name", "arg", "share", "follow_caller"),
    [
        ("always_on", None, 1.0, False),
        ("always_off", None, 0.0, False),
        ("traceidratio", "0.25", 0.25, False),
        ("parentbased_always_on", None, 1.0, True),
        ("parentbased_always_off", None, 0.0, True),
        ("parentbased_traceidratio", "0.01", 0.01, True),
        ("ParentBased_TraceIdRatio", None, 1.0, True),
    ],
)
def test_samplers_have_their_standard_names(
    name: str, arg: str | None, share: float, follow_caller: bool
) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": arg or ""}

    rules = read_environment(environ)

    assert rules.sampler == SamplerRules(share=share, follow_caller=follow_caller)


def test_resource_attributes_are_kept_and_the_service_name_wins() -> None:
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=other,deployment.environment=a%2Cb"}

    assert read_environment(environ).resource == {
        "service.name": "other",
        "deployment.environment": "a,b",
    }
    assert (
        read_environment(environ | {"OTEL_SERVICE_NAME": "edge"}).resource["service.name"] == "edge"
    )


def test_batches_and_intervals_are_in_milliseconds() -> None:
    rules = read_environment(
        {
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "1500",
        }
    )

    assert rules.batch == BatchRules(delay=0.2, size=100, queue=100)
    assert rules.metric_interval == 1.5


OTLP = {"OTEL_TRACES_EXPORTER": "otlp"}
BAD = [
    ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
    ({"OTEL_METRICS_EXPORTER": "statsd"}, "OTEL_METRICS_EXPORTER"),
    ({"OTEL_TRACES_SAMPLER": "sometimes"}, "OTEL_TRACES_SAMPLER"),
    (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5"},
        "OTEL_TRACES_SAMPLER_ARG",
    ),
    ({**OTLP, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_TIMEOUT": "inf"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_TIMEOUT": "nan"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0"}, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_HEADERS": "hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_HEADERS": "=hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such"}, "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ({**OTLP, "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "OTEL_EXPORTER_OTLP_COMPRESSION"),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hunter2@collector:4317"},
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    (
        {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        },
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP_MAX_QUEUE_SIZE"),
    ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9000"}, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    ({"OTEL_METRIC_EXPORT_INTERVAL": "-1"}, "OTEL_METRIC_EXPORT_INTERVAL"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "service.name"}, "OTEL_RESOURCE_ATTRIBUTES"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "a=b,spam"}, "OTEL_RESOURCE_ATTRIBUTES"),
    ({"OTEL_SDK_DISABLED": "yes"}, "OTEL_SDK_DISABLED"),
    (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10%"},
        "OTEL_TRACES_SAMPLER_ARG",
    ),
    (
        {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "70000"},
        "OTEL_EXPORTER_PROMETHEUS_PORT",
    ),
]


def problems(environ: dict[str, str]) -> dict[str, str]:
    return {problem.path: problem.message for problem in read_environment(environ).problems}


@pytest.mark.parametrize(("environ", "variable"), BAD)
def test_a_bad_variable_is_named_without_its_value_and_counts_as_unset(
    environ: dict[str, str], variable: str
) -> None:
    rules = read_environment(environ)

    [(named, why)] = problems(environ).items()
    assert named == variable
    assert "must " in why
    assert "hunter2" not in why
    assert variable in rules.unused
    without = read_environment({k: v for k, v in environ.items() if k != variable})
    assert replace(rules, problems=(), unused=frozenset()) == without


def test_all_bad_variables_are_named_at_once() -> None:
    found = problems({"OTEL_TRACES_SAMPLER": "no", "OTEL_BSP_SCHEDULE_DELAY": "x"})
    assert set(found) == {"OTEL_TRACES_SAMPLER", "OTEL_BSP_SCHEDULE_DELAY"}


def test_an_unknown_exporter_leaves_the_known_ones() -> None:
    rules = read_environment({"OTEL_METRICS_EXPORTER": "console,statsd"})
    assert rules.metrics.exporters == ("console",)
    assert [problem.path for problem in rules.problems] == ["OTEL_METRICS_EXPORTER"]


@pytest.mark.parametrize(
    ("value", "names"),
    [("pigeon", ("tracecontext",)), ("baggage,pigeon", ("baggage",)), ("pigeon,none", ())],
)
def test_an_unknown_propagator_is_left_out(value: str, names: tuple[str, ...]) -> None:
    assert read_environment({"OTEL_PROPAGATORS": value}).propagators == names
    assert ("OTEL_PROPAGATORS" in problems({"OTEL_PROPAGATORS": value})) == (names != ())


@pytest.mark.parametrize("name", ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"])
@pytest.mark.parametrize("value", ["many", "-1", "1.5", "٣"])
async def test_a_bad_limit_of_spans_is_a_warning(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    async with tracing({name: value, "OTEL_TRACES_EXPORTER": "console"}, service="s"):
        assert os.environ[name] == value
    assert f"environment variable ignored: {name}: must be a number" in caplog.text


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("signal", ["", "TRACES_", "METRICS_"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIMEOUT", "soon-hunter2"),
        ("COMPRESSION", "hunter2"),
        ("CERTIFICATE", "/no/hunter2"),
        ("HEADERS", "authorization: hunter2"),
        ("PROTOCOL", "hunter2"),
        ("ENDPOINT", "http://[hunter2"),
    ],
)
async def test_no_value_of_an_exporter_s_variable_keeps_the_service_from_starting(  # noqa: PLR0917
    protocol: str,
    signal: str,
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        f"OTEL_EXPORTER_OTLP_{signal}{variable}": value,
    }
    for name, text in environ.items():
        monkeypatch.setenv(name, text)

    built = await build_telemetry(environment=environ, log=LogRules(stdout=False))
    await built.aclose(bound=0.01)

    assert f"environment variable ignored: OTEL_EXPORTER_OTLP_{signal}{variable}: " in caplog.text
    assert "hunter2" not in caplog.text


def test_variables_of_what_is_not_used_are_not_looked_at(tmp_path: Path) -> None:
    certificate = str(tmp_path / "missing.pem")

    rules = read_environment({"OTEL_EXPORTER_OTLP_CERTIFICATE": certificate})

    assert rules.spans.otlp is None


def test_propagators_are_found_by_name() -> None:
    assert build_propagator(()).fields == set()
    assert build_propagator(("tracecontext",)).fields == {"traceparent", "tracestate"}
    assert build_propagator(("tracecontext", "baggage")).fields >= {"traceparent", "baggage"}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("none", ()),
        ("b3, none", ()),
        ("tracecontext,baggage,tracecontext", ("tracecontext", "baggage")),
    ],
)
def test_propagators_are_a_list_without_repetition(value: str, names: tuple[str, ...]) -> None:
    assert read_environment({"OTEL_PROPAGATORS": value}).propagators == names
