"""Framing by hand says what protobuf says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import stream_route_decisions_pb2 as pb
from pointsman_server.transport.wire import field

LENGTHS = st.sampled_from([0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_151, 2_097_152])


@given(LENGTHS | st.integers(0, 40_000))
def test_a_field_reads_as_it_was_written(length):
    text = "x" * length
    found = pb.StreamRouteDecisionsRequest.FromString(field(1, text.encode()))
    assert found.correlation_id == text
    assert field(1, text.encode()) == found.SerializeToString() or not text
