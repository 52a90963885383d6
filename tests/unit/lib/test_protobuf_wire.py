"""Framing by hand says what protobuf says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2
from pointsman.v1 import stream_route_decisions_pb2 as pb
from pointsman_server.lib.protobuf_wire import Frame, field, frames
from support.requests import messages

LENGTHS = st.sampled_from([0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_151, 2_097_152])


@given(LENGTHS | st.integers(0, 40_000))
def test_a_field_reads_as_it_was_written(length):
    text = "x" * length
    found = pb.StreamRouteDecisionsRequest.FromString(field(1, text.encode()))
    assert found.correlation_id == text
    assert field(1, text.encode()) == found.SerializeToString() or not text


# Fields 16 and 2047 of each kind that a newer contract may have.
UNKNOWN = st.sampled_from(
    [
        b"\x80\x01\xac\x02",
        b"\x81\x01" + bytes(8),
        b"\x82\x01\x03new",
        b"\x85\x01" + bytes(4),
        b"\xfa\x7f\x00",
    ]
)


@given(st.lists(messages | UNKNOWN, max_size=6))
def test_the_frames_of_a_message_are_what_protobuf_finds(parts):
    wire = b"".join(
        part if isinstance(part, bytes) else field(1, part.SerializeToString()) for part in parts
    )
    found = [wire[start:end] for number, start, end in frames(wire, most=6) if number == 1]
    plain = batch_pb.BatchRouteDecisionsRequest.FromString(wire).requests
    assert [route_decision_pb2.RouteDecisionRequest.FromString(each) for each in found] == [*plain]


@given(st.binary(max_size=60))
def test_of_bytes_of_any_kind_frames_stand_one_behind_the_other_within_them(wire):
    before = 0
    with suppress(ValueError):
        for frame in frames(wire, most=60):
            assert before < frame.start <= frame.end <= len(wire)
            before = frame.end


@pytest.mark.parametrize(
    "wire",
    [b"\x0a", b"\x0a\x02x", b"\xff" * 11, b"\x02\x00", b"\x0b\x0c", b"\x09" + bytes(7), b"\x08"],
    ids=["no length", "cut off", "no number", "field 0", "a group", "half a double", "half a tag"],
)
def test_bytes_that_are_no_message_have_no_frames(wire):
    with pytest.raises(ValueError, match=r"."):
        list(frames(wire, most=9))


def test_no_more_fields_are_looked_at_than_asked_for():
    wire = b"\x08\x01\x0a\x00"
    assert list(frames(wire, most=2)) == [Frame(1, 4, 4)]
    with pytest.raises(ValueError, match="more than 1 fields"):
        list(frames(wire, most=1))
