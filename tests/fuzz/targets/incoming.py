"""Messages of Envoy: without its body in one piece, a message says what protobuf says of it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError
from pointsman_extproc.incoming import without_body
from pointsman_extproc.wire import external_processor_pb2 as pb

from fuzz.targets.target import Target, plain


def read_message(data: bytes) -> None:
    try:
        whole = pb.ProcessingRequest.FromString(data)
    except DecodeError:
        whole = None
    parts = without_body(data)
    if parts is None:
        return
    rest, body = parts
    try:
        message = pb.ProcessingRequest.FromString(rest)
    except DecodeError:
        assert whole is None
        return
    assert whole is not None
    if message.WhichOneof("request") == "request_body":
        message.request_body.body = bytes(body)
    assert message == whole


def seeds() -> Iterator[bytes]:
    body = pb.HttpBody(body=b'{"model":"a/tier"}', end_of_stream=True)
    asked = pb.ProcessingRequest(request_body=body).SerializeToString()
    yield asked
    # Other fields of Envoy around it, a second body that is merged, and another phase behind it.
    yield b"\x42\x02\x0a\x00" + asked + b"\x50\x01"
    yield asked + asked
    yield asked + pb.ProcessingRequest(request_headers=pb.HttpHeaders()).SerializeToString()
    yield pb.ProcessingRequest(response_body=body).SerializeToString()


TARGET = Target(opened=plain(read_message), seeds=seeds)
