"""Codecs of the HTTP listener: protobuf's binary and JSON forms; errors name the field."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TypeVar

from connectrpc.codec import Codec
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.http.errors import error_of
from pointsman_server.transport.http.json_faults import faults_of

M = TypeVar("M", bound=Message)

STRICT: ContextVar[bool] = ContextVar("strict", default=True)
"""Whether JSON with unknown fields is refused. A generated client may be newer than the service, so
its unknown fields are ignored; a request written by hand has a typo."""

DEPTH = 32
"""Levels of nested JSON; the contract needs five."""


class BinaryCodec(Codec[Message, M]):
    """`application/proto`."""

    def name(self) -> str:
        """Return the codec's name in the content type."""
        return "proto"

    def encode(self, message: Message) -> bytes:
        """Serialize `message`."""
        return message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[M]) -> M:
        """Parse `data`. Raises `ConnectError`."""
        try:
            return message_class.FromString(bytes(data))
        except DecodeError:
            raise _refused(_unreadable("protobuf", message_class)) from None


class JsonCodec(Codec[Message, M]):
    """`application/json`."""

    def name(self) -> str:
        """Return the codec's name in the content type."""
        return "json"

    def encode(self, message: Message) -> bytes:
        """Write `message` as JSON on one line."""
        return json_format.MessageToJson(message, indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[M]) -> M:
        """Parse `data`; an empty body is an empty message. Raises `ConnectError`."""
        message = message_class()
        if not data.strip():
            return message
        if data.lstrip()[:1] != b"{":
            raise _refused(_unreadable("JSON", message_class, ": it is not an object"))
        strict = STRICT.get()
        try:
            return json_format.Parse(
                bytes(data), message, ignore_unknown_fields=not strict, max_recursion_depth=DEPTH
            )
        except (json_format.ParseError, UnicodeError, RecursionError) as error:
            faults = faults_of(bytes(data), message_class, strict=strict)
            raise _refused(*faults or [_unreadable("JSON", message_class, f": {error}")]) from None


def _unreadable(form: str, message_class: type[Message], why: str = "") -> FieldViolation:
    return FieldViolation("request", f"must be a {message_class.DESCRIPTOR.name} in {form}{why}")


def _refused(*violations: FieldViolation) -> ConnectError:
    return error_of(to_status(InvalidRequest(violations)))
