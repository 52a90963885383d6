"""Of what is too large, no more is read than says whose it is."""

from __future__ import annotations

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1.describe_routing_pb2 import DescribeRoutingRequest
from pointsman.v1.resolve_route_pb2 import ResolveRouteRequest
from pointsman.v1.stream_route_decisions_pb2 import StreamRouteDecisionsRequest
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.transport.wire_parsing import (
    REQUEST_BYTES,
    field,
    parsed_batch,
    parsed_item,
    reader,
    whole,
)


@pytest.mark.parametrize("kind", [ResolveRouteRequest, DescribeRoutingRequest])
def test_a_message_that_is_too_large_is_not_read(kind):
    newer = b"\xfa\x3f\xff\xff\x03" + bytes(0xFFFF)
    assert reader(kind)(newer[:2] + b"\xfb\xff\x03" + bytes(0xFFFB)) is not None
    assert reader(kind)(newer) is None
    with pytest.raises(InvalidRequest) as refused:
        whole(None, kind)
    [violation] = refused.value.violations
    assert violation.field == "request"
    assert "65536 bytes" in violation.description


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
GARBAGE = field(2, b"\xff" * REQUEST_BYTES)


def item_of(**fields):
    return StreamRouteDecisionsRequest(correlation_id="x", traceparent=TRACE, **fields)


def test_beside_a_request_of_64_kib_an_item_has_room_for_its_id_and_its_trace():
    request = pb.RouteDecisionRequest(requested_model="m" * (REQUEST_BYTES - 4))
    assert request.ByteSize() == REQUEST_BYTES
    item = item_of(request=request, tracestate="t" * 512)
    assert parsed_item(item.SerializeToString()) == item
    request.requested_model += "m"
    item.request.CopyFrom(request)
    assert parsed_item(item.SerializeToString()) == item_of(tracestate="t" * 512)


@pytest.mark.parametrize("large", [GARBAGE * 2, GARBAGE * 9], ids=len)
def test_of_an_item_that_is_too_large_all_but_the_request_is_read(large):
    rest = item_of(tracestate="a=b").SerializeToString()
    for wire in (rest + large, large + rest):
        assert parsed_item(wire) == item_of(tracestate="a=b")


@pytest.mark.parametrize(
    "wire",
    [
        item_of(tracestate="t" * 2 * REQUEST_BYTES).SerializeToString(),
        field(1, b"x") + b"\x18\x01" * REQUEST_BYTES,
        field(1, b"\xff") + GARBAGE * 2,
        GARBAGE * 2 + b"\x0a",
    ],
    ids=["a large trace", "many fields", "no text", "no message"],
)
def test_a_large_item_whose_id_cannot_be_told_is_no_message(wire):
    assert parsed_item(wire) is None


SMALL, LARGE, TOO_LARGE = (
    field(1, pb.RouteDecisionRequest(requested_model="m" * n).SerializeToString())
    for n in (9, 60_000, 70_000)
)
UNREADABLE = field(1, b"\xff")


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ([SMALL, SMALL], [True, True]),
        ([SMALL, LARGE, LARGE], [True, True, True]),
        ([LARGE, TOO_LARGE, SMALL], [True, False, True]),
        ([SMALL, UNREADABLE, SMALL], [True, False, True]),
        ([LARGE, UNREADABLE, LARGE], [True, False, True]),
    ],
    ids=["small", "large", "too large", "unreadable in a small one", "unreadable in a large one"],
)
def test_what_cannot_be_read_of_a_batch_is_that_request_alone(wire, read):
    found = [request for request, _ in parsed_batch(b"".join(wire))]
    assert [request is not None for request in found] == read
    for request, sent in zip(found, wire, strict=True):
        assert request is None or field(1, request.SerializeToString()) == sent


def test_requests_of_a_large_batch_are_read_one_at_a_time():
    requests = iter(parsed_batch(LARGE * 3))
    assert next(requests)[1] == len(LARGE) - 4


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        (SMALL * 257, "requests"),
        (b"\x0a\x00" * 257, "requests"),
        (b"\x0a\x00" * 100_000, "requests"),
        (b"\x18\x01" * 100_000, "request"),
        (LARGE * 2 + b"\x0a", "request"),
        (b"", "requests"),
        (GARBAGE, "requests"),
    ],
    ids=["257", "257 empty", "100000", "none in many fields", "cut off", "none", "none but large"],
)
def test_a_batch_of_none_or_too_many_or_no_message_is_refused(wire, path):
    with pytest.raises(InvalidRequest) as refused:
        parsed_batch(wire)
    assert [v.field for v in refused.value.violations] == [path]
