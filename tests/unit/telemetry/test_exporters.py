"""Batches that were not taken are counted, and nobody is asked after the end."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pointsman_server.telemetry.tracing.exporters import CountingSpanExporter


class Exporter(SpanExporter):
    def __init__(self, *results):
        self.results, self.asked, self.closed = list(results), 0, False

    def export(self, spans):
        self.asked += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def shutdown(self):
        self.closed = True


def test_what_was_not_taken_is_counted():
    inside = Exporter(SpanExportResult.SUCCESS, SpanExportResult.FAILURE, OSError("gone"))
    counting = CountingSpanExporter(inside)
    assert counting.export([]) is SpanExportResult.SUCCESS
    assert counting.export([]) is SpanExportResult.FAILURE
    with pytest.raises(OSError, match="gone"):
        counting.export([])
    assert (inside.asked, counting.failures) == (3, 2)


def test_after_the_end_batches_are_lost_and_counted_and_nobody_is_asked():
    inside = Exporter()
    counting = CountingSpanExporter(inside)
    counting.shutdown()
    assert counting.export([]) is SpanExportResult.FAILURE
    assert (inside.closed, inside.asked, counting.failures) == (True, 0, 1)
