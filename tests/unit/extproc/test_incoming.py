"""A long body stays in the bytes of its message; every other message is protobuf's to read."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from pointsman_extproc.incoming import HERE, Incoming
from pointsman_extproc.wire import external_processor_pb2 as pb

LONG = b"x" * (2 * HERE)
HEADERS = pb.ProcessingRequest(request_headers=pb.HttpHeaders(end_of_stream=True))
CONTEXT = b"\x42\x03\x0a\x01y"
"""A field of Envoy's that is not read here."""


def body_of(content: bytes, *, ended: bool = True) -> bytes:
    body = pb.HttpBody(body=content, end_of_stream=ended)
    return pb.ProcessingRequest(request_body=body).SerializeToString()


@pytest.mark.parametrize("ended", [True, False])
def test_a_long_body_is_a_view_of_its_message(ended: bool) -> None:
    wire = CONTEXT + body_of(LONG, ended=ended) + CONTEXT
    incoming = Incoming.from_wire(wire)
    assert isinstance(incoming.body, memoryview)
    assert incoming.body.obj is wire
    assert incoming.body == LONG
    assert incoming.message.WhichOneof("request") == "request_body"
    assert incoming.message.request_body.end_of_stream is ended
    assert incoming.message.ByteSize() < HERE


@pytest.mark.parametrize(
    "wire",
    [
        body_of(b"short"),
        body_of(LONG) + body_of(b"z"),  # protobuf merges the two
        pb.ProcessingRequest(response_body=pb.HttpBody(body=LONG)).SerializeToString(),
        HEADERS.SerializeToString(),
        b"",
        CONTEXT * HERE,
    ],
    ids=["short", "two bodies", "another phase", "headers", "nothing", "many fields"],
)
def test_any_other_message_is_read_by_protobuf(wire: bytes) -> None:
    incoming = Incoming.from_wire(wire)
    assert incoming.message == pb.ProcessingRequest.FromString(wire)
    assert incoming.body == incoming.message.request_body.body


def test_of_two_phases_the_last_holds() -> None:
    incoming = Incoming.from_wire(body_of(LONG) + HEADERS.SerializeToString())
    assert incoming.message == HEADERS
    incoming = Incoming.from_wire(HEADERS.SerializeToString() + body_of(LONG))
    assert incoming.message.WhichOneof("request") == "request_body"
    assert incoming.body == LONG


@pytest.mark.parametrize(
    "wire", [b"\xff" * HERE * 2, body_of(LONG)[:-2], body_of(LONG) + b"\xff", b"\xff"]
)
def test_other_bytes_are_refused(wire: bytes) -> None:
    with pytest.raises(DecodeError):
        Incoming.from_wire(wire)
