"""Values, texts and numbers of OTLP's messages in protobuf's wire format."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, Final

from pointsman_server.lib.protobuf_wire import tagged, varint

_DOUBLE: Final = Struct("<Bd").pack
_INT64: Final = range(-(1 << 63), 1 << 63)
_MASK: Final = (1 << 64) - 1

_log = logging.getLogger(__name__)


def attribute_fields(tag: bytes, attributes: Mapping[str, Any] | None) -> list[bytes]:
    """The attributes as fields of `tag`."""
    return [attribute_field(tag, key, value) for key, value in (attributes or {}).items()]


def attribute_field(tag: bytes, key: str, value: Any) -> bytes:
    """One attribute; nothing where its value cannot be sent."""
    try:
        return tagged(tag, pair(key, value))
    except (TypeError, ValueError) as error:
        _log.warning("attribute %s not sent: %s", key, type(error).__name__)
        return b""


def pair(key: str, value: Any) -> bytes:
    """The content of a `KeyValue`."""
    return text_field(b"\x0a", key) + tagged(b"\x12", value_bytes(value))


def value_bytes(value: Any) -> bytes:  # noqa: PLR0911  (a kind a line)
    """The content of an `AnyValue`. Raises `TypeError` or `ValueError` for what OTLP lacks."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return tagged(b"\x0a", value.encode())
    if isinstance(value, int):
        if value not in _INT64:
            raise ValueError("out of range")
        return b"\x18" + varint(value & _MASK)
    if isinstance(value, float):
        return _DOUBLE(0x21, value)
    if isinstance(value, bytes):
        return tagged(b"\x3a", value)
    if isinstance(value, Sequence):
        return tagged(b"\x2a", b"".join(tagged(b"\x0a", value_bytes(v)) for v in value))
    if isinstance(value, Mapping):
        pairs = (tagged(b"\x0a", pair(str(k), v)) for k, v in value.items())
        return tagged(b"\x32", b"".join(pairs))
    raise TypeError("of no kind that OTLP knows")


def text_field(tag: bytes, text: str | None) -> bytes:
    """A text as a field; nothing if it is empty."""
    return tagged(tag, text.encode()) if text else b""


def count_field(tag: bytes, number: int) -> bytes:
    """A number as a field; nothing if it is 0."""
    return tag + varint(number) if number else b""
