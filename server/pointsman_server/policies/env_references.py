"""`${NAME}` in `llm`: environment variables, filled in where they are settings.

Where a value is a credential (`api_key`, a header called `Authorization`, ...) the reference is
the value: it is passed on for the caller to look up, and this process never reads the variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pointsman_server.policies.diagnostics import Diagnostic, KeyPath
from pointsman_server.policies.yaml_tree import YamlTree

CREDENTIAL_KEYS = frozenset({"api_key", "aws_key", "aws_secret", "aws_session_token", "api_token"})
"""Keys of a profile that hold a reference to a secret, never anything else."""

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
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
        Diagnostic(path, m) for name in REFERENCE.findall(value) for m in _wrong(name, environment)
    ]
    faults += found
    if found:
        return value
    return REFERENCE.sub(lambda match: environment[match[1]], value)


def _holds_reference_only(value: str, path: KeyPath) -> bool:
    """`${NAME}`; in a header also with a scheme before it, as in `Bearer ${NAME}`."""
    around = "(?:[A-Za-z]{1,16} )?" if "headers" in path else ""
    return re.fullmatch(rf"{around}\$\{{{_NAME.pattern}\}}", value) is not None


def _wrong(name: str, environment: Mapping[str, str]) -> list[str]:
    """The error of replacing the variable `name`, without its value."""
    if not _NAME.fullmatch(name):
        return ["holds a reference that names no environment variable: letters, digits, `_`"]
    if _SECRET_VARIABLE.search(name):
        return [f"`${{{name}}}` looks like a secret, and this value is sent to callers"]
    if name not in environment:
        return [f"the environment variable `{name}` is not set"]
    return []
