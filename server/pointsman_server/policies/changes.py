"""The difference between two versions of the policy file, for the log of a reload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.diagnostics import shown

MOST = 40
"""Changes that are named; of more, the number."""
_LONGEST = 60
_HASHES = frozenset({"version", "rules_digest"})
_WITHHELD = frozenset({"headers", "parameters", "values"})
"""Mappings whose values may be private: that they changed is said, and not to what."""


def audit(before: PolicyFile, after: PolicyFile) -> tuple[str, frozenset[str]]:
    """Return the changes in one log line, and the top-level keys that they are about."""
    lines = changes(before, after)
    return summary(lines), sections(lines)


def changes(before: PolicyFile, after: PolicyFile) -> tuple[str, ...]:
    """Name every changed value as `path: old -> new`."""
    return tuple(_changes(before, after, "", withheld=False))


def sections(lines: tuple[str, ...]) -> frozenset[str]:
    """The top-level keys that `lines` of `changes` are about."""
    return frozenset(line.partition(":")[0].partition(".")[0] for line in lines)


def summary(lines: tuple[str, ...]) -> str:
    """Join the changes for one log line."""
    more = f"; and {len(lines) - MOST} more" if len(lines) > MOST else ""
    return "; ".join(lines[:MOST]) + more


def _changes(before: object, after: object, path: str, *, withheld: bool) -> Iterator[str]:
    if before == after:
        return
    old, new = _items(before), _items(after)
    if old is None or new is None:
        yield f"{path}: changed" if withheld else f"{path}: {_short(before)} -> {_short(after)}"
        return
    for name in {**old, **new}:
        inner = f"{path}.{shown(name)}" if path else shown(name)
        hidden = withheld or name in _WITHHELD
        if name not in new:
            yield f"{inner}: removed"
        elif name not in old:
            yield (
                f"{inner}: added"
                if _items(new[name]) or hidden
                else (f"{inner}: unset -> {_short(new[name])}")
            )
        else:
            yield from _changes(old[name], new[name], inner, withheld=hidden)


def _items(value: object) -> Mapping[str, object] | None:
    """The named parts of a value that has some."""
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        # What is derived from other parts is no change besides theirs.
        given = [f.name for f in fields(value) if f.init and f.name not in _HASHES]
        return {name: getattr(value, name) for name in given}
    return None


def _short(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | frozenset | list):
        parts = sorted(map(_short, value)) if isinstance(value, frozenset) else map(_short, value)
        text = f"[{', '.join(parts)}]"
    else:
        text = shown(str(value)) if not is_dataclass(value) else type(value).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
