"""`${NAME}` in `llm`: environment variables, filled in where they are settings.

Where a value is a credential (`api_key`, a header called `Authorization`, ...) the reference is
the value: it is passed on for the caller to look up, and this process never reads the variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from pointsman_server.policies.diagnostics import Diagnostic, KeyPath
from pointsman_server.policies.yaml_tree import YamlTree

CREDENTIAL_KEYS = frozenset({"api_key", "aws_key", "aws_secret", "aws_session_token", "api_token"})
"""Keys of a profile that hold a reference to a secret, never anything else."""

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_FILLED = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<inside>[^{}]*)\}")
_PARTS = re.compile(r"(?P<name>[^:-]*)(?:(?P<how>:?-)(?P<default>.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LITERAL = "must be a reference such as `${NAME}`: the file is no place for a secret"
_SECRET_VARIABLE = re.compile(r"KEY$|TOKEN$|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"auth|key$|secret|token$|passw|cookie|credential", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"api[-_]?key|authorization|secret|(^|[-_])token$|passw|credential", re.IGNORECASE
)


def is_credential(path: KeyPath) -> bool:
    """Whether the value at `path` (from the top of a profile or above) is a credential's place."""
    *above, last = path
    if not isinstance(last, str):
        return bool(above) and is_credential(tuple(above))
    if last in CREDENTIAL_KEYS:
        return True
    if above and above[-1] == "headers":
        return bool(_SECRET_HEADER.search(last))
    return "parameters" in above and bool(_SECRET_PARAMETER.search(last))


def filled_in(tree: YamlTree, environment: Mapping[str, str]) -> YamlTree:
    """The tree with the references of its `llm` section filled in; unset ones are faults."""
    document = tree.value
    if not isinstance(document, dict) or "llm" not in document:
        return tree
    faults: list[Diagnostic] = []
    llm = _filled(document["llm"], ("llm",), environment, faults)
    return replace(tree, value={**document, "llm": llm}, faults=(*tree.faults, *faults))


def _filled(
    value: object, path: KeyPath, environment: Mapping[str, str], faults: list[Diagnostic]
) -> object:
    if isinstance(value, dict):
        return {k: _filled(v, (*path, k), environment, faults) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, (*path, at), environment, faults) for at, v in enumerate(value)]
    if not isinstance(value, str) or not value:
        return value
    if is_credential(path):
        if not _holds_reference_only(value, path):
            faults.append(Diagnostic(path, _LITERAL))
        return value
    found = [
        Diagnostic(path, message)
        for match in _FILLED.finditer(value)
        if not match["escaped"]
        for message in _wrong(_Reference.of(match["inside"]), environment)
    ]
    faults += found
    if found:
        return value

    def filled(match: re.Match[str]) -> str:
        return "${" if match["escaped"] else _Reference.of(match["inside"]).value(environment)

    return _FILLED.sub(filled, value)


@dataclass(frozen=True, slots=True)
class _Reference:
    """The inside of `${NAME}`, `${NAME-default}` or `${NAME:-default}`."""

    name: str
    default: str | None
    when_empty: bool
    """Whether the default also replaces an empty value."""

    @classmethod
    def of(cls, inside: str) -> Self:
        match = _PARTS.fullmatch(inside)
        if match is None:
            return cls(inside, None, when_empty=False)
        return cls(match["name"], match["default"], when_empty=match["how"] == ":-")

    def value(self, environment: Mapping[str, str]) -> str:
        found = environment.get(self.name)
        if self.default is not None and (found is None or (self.when_empty and not found)):
            return self.default
        return found or ""


def _holds_reference_only(value: str, path: KeyPath) -> bool:
    """`${NAME}`; in a header also with a scheme before it, as in `Bearer ${NAME}`."""
    around = "(?:[A-Za-z]{1,16} )?" if "headers" in path else ""
    return re.fullmatch(rf"{around}\$\{{{_NAME.pattern}\}}", value) is not None


def _wrong(reference: _Reference, environment: Mapping[str, str]) -> list[str]:
    """The faults of a reference; no message has a value."""
    name = reference.name
    if not _NAME.fullmatch(name):
        return ["holds a reference that names no environment variable: letters, digits, `_`"]
    if _SECRET_VARIABLE.search(name):
        return [f"`${{{name}}}` looks like a secret, and this value is sent to callers"]
    if name not in environment and reference.default is None:
        return [f"the environment variable `{name}` is not set"]
    return []
