"""Readings as the SDK's metric values, which every metric exporter takes. Sums are cumulative."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pointsman_server.telemetry.metrics.catalog import Kind
from pointsman_server.telemetry.readings import HistogramData, MetricSnapshot, Point, Reading

CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_data(
    readings: MetricSnapshot, *, resource: Resource, scope: InstrumentationScope
) -> MetricsData:
    """All instruments that have a number."""
    metrics = [_metric(reading, readings) for reading in readings.readings if reading.points]
    return MetricsData(
        resource_metrics=[
            ResourceMetrics(
                resource=resource,
                scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics, schema_url="")],
                schema_url="",
            )
        ]
    )


def _metric(reading: Reading, when: MetricSnapshot) -> Metric:
    instrument = reading.instrument
    data: Sum | Gauge | Histogram
    if instrument.kind is Kind.HISTOGRAM:
        data = Histogram(
            data_points=list(_histograms(reading, when)), aggregation_temporality=CUMULATIVE
        )
    elif instrument.kind is Kind.GAUGE:
        data = Gauge(data_points=list(_numbers(reading, when)))
    else:
        data = Sum(
            data_points=list(_numbers(reading, when)),
            aggregation_temporality=CUMULATIVE,
            is_monotonic=instrument.kind is Kind.COUNTER,
        )
    return Metric(
        name=instrument.name,
        description=instrument.description,
        unit=instrument.unit,
        data=data,
    )


def _numbers(reading: Reading, when: MetricSnapshot) -> Iterator[NumberDataPoint]:
    for point in reading.points:
        if not isinstance(point.value, HistogramData):
            yield NumberDataPoint(
                attributes=dict(point.attributes),
                start_time_unix_nano=when.started,
                time_unix_nano=when.taken,
                value=point.value,
            )


def _histograms(reading: Reading, when: MetricSnapshot) -> Iterator[HistogramDataPoint]:
    for point in reading.points:
        if isinstance(point.value, HistogramData):
            yield _histogram(point, point.value, when)


def _histogram(point: Point, spread: HistogramData, when: MetricSnapshot) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=when.started,
        time_unix_nano=when.taken,
        count=spread.count,
        sum=spread.total,
        bucket_counts=spread.counts,
        explicit_bounds=spread.bounds,
        min=spread.lowest,
        max=spread.highest,
    )
