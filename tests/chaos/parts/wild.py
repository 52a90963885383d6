"""Requests nobody would send, made from the contract's own descriptors.

Everything is generic over the service: an RPC that the contract gains is asked as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from pointsman.v1 import routing_service_pb2

SERVICE = routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"]
METHODS: dict[str, MethodDescriptor] = {method.name: method for method in SERVICE.methods}

_TIERS = ("kilo-auto/frontier", "kilo-auto/balanced", "kilo/auto")
_MODELS = (
    "anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6", "openai/gpt-5.5",
    "google/gemini-3.1-pro-preview", "anthropic/claude-haiku-4.5", "nobody/nothing", *_TIERS,
)  # fmt: skip
_TAME: dict[str, tuple[str, ...]] = {
    "auto_model": _TIERS,
    "candidate_models": _MODELS,
    "denied_models": _MODELS,
    "resolved_model": _MODELS,
    "requested_model": (*_MODELS, ""),
    "purpose": ("plan_create", "main_loop"),
    "profile_override": ("small",),
}
"""What makes sense in a field, so that a request gets past the edge; elsewhere any word does."""
_WORDS = ("user-1", "run-1", "task-7", "Fix this null check.", "Prove Fermat's last theorem.", "hi")
_ODD = (
    "", " ", "\t\n", "\x00", "a\x00b", "\u202e", "\ufeff", "\u0301" * 50,
    "\U0001f469\u200d\U0001f4bb" * 40,
    "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "x" * 256, "x" * 257, "é" * 1_001,
    "x" * 70_000, " " * 5_000 + "deep", "../../etc/passwd", "${HOME}", "{{7*7}}", "' OR 1=1 --",
)  # fmt: skip
_NUMBERS: dict[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_MOST_DEPTH = 4

texts = st.one_of(
    st.sampled_from(_MODELS),
    st.sampled_from(_ODD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def _wild(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Anything that the field's type can hold."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=300) if field.type == FieldDescriptor.TYPE_BYTES else texts
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return st.integers(-(2**31), 2**31 - 1)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind in _NUMBERS:
        low, high = _NUMBERS[kind]
        return st.one_of(st.sampled_from((low, 0, high)), st.integers(low, high))
    return st.floats()


def _tame(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """What a gateway could mean."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.sampled_from(_TAME.get(field.name, _WORDS))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values][1:])
    return st.integers(0, 100_000) if field.cpp_type in _NUMBERS else _wild(field)


@st.composite
def messages(draw: st.DrawFn, of: Descriptor, wildness: int = 1, depth: int = 0) -> Message:
    """A message of this type. `wildness` of sixteen values are anything at all."""
    message = GetMessageClass(of)()
    for field in of.fields if depth < _MOST_DEPTH else ():
        wild = draw(st.integers(0, 15)) < wildness
        # Mostly present: a request without its required fields is refused before it gets far.
        if not draw(st.integers(0, 5)):
            continue
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            values: st.SearchStrategy[Any] = messages(field.message_type, wildness, depth + 1)
        else:
            values = _wild(field) if wild else _tame(field)
        if field.is_repeated:
            most = 300 if wild and not draw(st.integers(0, 3)) else 4
            getattr(message, field.name).extend(draw(st.lists(values, max_size=most)))
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(draw(values))
        else:
            setattr(message, field.name, draw(values))
    return message


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it goes over the wire, and the message if it is one."""

    method: str
    wire: bytes
    message: Message | None

    def __repr__(self) -> str:
        shown = self.message if self.message is not None else self.wire
        return f"Sent({self.method}, {str(shown)[:2000]})"


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A request of any RPC: a message, or the bytes of one after an accident."""
    name = draw(st.sampled_from(sorted(METHODS)))
    of = METHODS[name].input_type
    message = draw(messages(of, wildness=draw(st.sampled_from((0, 0, 1, 1, 2, 8)))))
    wire = message.SerializeToString()
    if draw(st.integers(0, 4)):
        return Sent(name, wire, message)
    wire = draw(_spoilt(wire))
    try:
        return Sent(name, wire, GetMessageClass(of).FromString(wire))
    except DecodeError:
        return Sent(name, wire, None)


@st.composite
def _spoilt(draw: st.DrawFn, wire: bytes) -> bytes:
    """Cut short, bits flipped, lone bytes in the middle, unknown fields, or only noise."""
    place = draw(st.integers(0, len(wire)))
    how = draw(st.sampled_from(("cut", "flip", "insert", "append", "noise")))
    if how == "cut":
        return wire[:place]
    if how == "flip" and wire:
        spoilt = bytearray(wire)
        spoilt[place % len(wire)] ^= 1 << draw(st.integers(0, 7))
        return bytes(spoilt)
    if how == "insert":
        return (
            wire[:place] + draw(st.sampled_from((b"\xed\xa0\x80", b"\xff", b"\xc3"))) + wire[place:]
        )
    if how == "append":
        return wire + draw(st.binary(max_size=20))
    return draw(st.binary(max_size=200))
