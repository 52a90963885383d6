"""The results of a request against the expected ones, in the terms of `tests/data/README.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.v1 import route_decision_pb2 as pb

_COMPARED = (
    "outcome",
    "reason",
    "serve_model",
    "shadow",
    "failures",
    "decision",
    "dropped",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result that a client reports: an answer, or the status of a refusal."""

    answer: pb.RouteDecisionResponse | None = None
    status: str = "OK"
    bad_fields: Sequence[str] = ()


def differences(found: Found, expect: Mapping[str, Any]) -> Iterator[str]:
    """Everything that a decision case expects of the answer and that was not found."""
    if found.status != expect["status"]:
        yield f"status: {found.status} instead of {expect['status']}"
        return
    if found.answer is None:
        wanted = expect.get("bad_fields", found.bad_fields)
        if sorted(found.bad_fields) != sorted(wanted):
            yield f"bad_fields: {sorted(found.bad_fields)} instead of {sorted(wanted)}"
        return
    plain = fields(found.answer)
    expected = {name: expect[name] for name in _COMPARED if name in expect}
    if isinstance(expected.get("decision"), Mapping):
        expected["decision"] = {**(plain["decision"] or {}), **expected["decision"]}
    expected |= {"serve_model": expect["serve_model"] or ""} if "serve_model" in expect else {}
    for name, value in expected.items():
        if plain[name] != in_order(value):
            yield f"{name}: {plain[name]} instead of {in_order(value)}"
    if "classification" in expect:
        has = found.answer.HasField("classification")
        if has != expect["classification"]:
            yield f"classification: {has} instead of {expect['classification']}"


def fields(message: Any) -> dict[str, Any]:
    """Every field by name: absent is `None`, an enum value has no prefix."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.enum_type:
            found[field.name] = enum_name(field.enum_type, value)
        elif field.is_repeated:
            found[field.name] = in_order(
                [fields(each) if field.message_type else each for each in value]
            )
        elif field.message_type:
            found[field.name] = fields(value) if message.HasField(field.name) else None
        elif field.has_presence and not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = value
    return found


def enum_name(enum: Any, value: int) -> str | None:
    """`ROUTED` for `OUTCOME_ROUTED`; `None` for an unspecified one."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    short: str = enum.values_by_number[value].name.removeprefix(prefix)
    return None if short == "UNSPECIFIED" else short


def in_order(value: Any) -> Any:
    """`value` with dropped candidates by name: they come in any order."""
    if isinstance(value, Mapping):
        return {name: in_order(each) for name, each in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], Mapping) and "reason" in value[0]:
        return sorted(value, key=lambda each: str(each["model"]))
    return value


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result
