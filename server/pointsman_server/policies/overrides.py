"""Overrides of the policy file: from code, the command line, the environment.

They are merged into the parsed YAML before validation, so that the result is validated like a
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, render_path, shown
from pointsman_server.policies.yaml_tree import YamlTree, read_yaml

PREFIX = "POINTSMAN_POLICY__"
"""Environment variables with this prefix name a path: `__` stands between its keys, which are in
lower case."""

_PART = re.compile(r'"(?P<quoted>[^"]+)"|(?P<plain>[^."\[\]]+)|\[(?P<at>[0-9]{1,6})\]')


@dataclass(frozen=True, slots=True)
class Override:
    """One value, and where in the file it stands."""

    path: KeyPath
    value: object
    """Plain values as YAML gives them: dicts with text keys, lists, text, numbers, booleans,
    None."""


def assignment(text: str) -> Override:
    """`path=value`, the value in YAML. Raises `PolicyInvalid`."""
    path, equals, value = text.partition("=")
    if not equals:
        raise PolicyInvalid([Problem("", f"`{shown(text)}` is not PATH=VALUE")])
    return Override(key_path(path.strip()), _yaml_value(path, value))


def from_environment(environment: Mapping[str, str]) -> tuple[Override, ...]:
    """The overrides of the `POINTSMAN_POLICY__*` variables, by name. Raises `PolicyInvalid`."""
    found = []
    for name in sorted(n for n in environment if n.startswith(PREFIX)):
        parts = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        if not all(parts):
            raise PolicyInvalid([Problem("", f"the variable {shown(name)} names no path")])
        found.append(Override(parts, _yaml_value(name, environment[name])))
    return tuple(found)


def key_path(text: str) -> KeyPath:
    """`llm.routes.plan_create`, `llm.profiles."my.profile".model`, `a.candidates[0].weight`.

    Keys with a dot stand in quotes. Raises `PolicyInvalid`.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text) or not parts:
        match = _PART.match(text, at)
        if match is None or (match["at"] and not parts):
            raise PolicyInvalid([Problem("", f"`{shown(text)}` is not the path of a key")])
        parts.append(int(match["at"]) if match["at"] else match["quoted"] or match["plain"])
        at = match.end()
        if text[at : at + 1] == ".":
            at += 1
            if at == len(text):
                raise PolicyInvalid([Problem("", f"`{shown(text)}` is not the path of a key")])
        elif at < len(text) and text[at] != "[":
            raise PolicyInvalid([Problem("", f"`{shown(text)}` is not the path of a key")])
    return tuple(parts)


def plain_value(value: object) -> object:
    """Convert a value from code to a YAML value. Raises `TypeError` for other types."""
    if isinstance(value, Mapping):
        return {_text_key(key): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"a policy file holds no {type(value).__name__}")


def _text_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not {type(key).__name__}")
    return key


def applied(tree: YamlTree, overrides: Iterable[Override]) -> YamlTree:
    """The tree with the overrides in it; where one cannot stand is a fault of the tree."""
    overrides = tuple(overrides)
    if not overrides:
        return tree
    value = deepcopy(tree.value) if isinstance(tree.value, dict) else tree.value
    value = {} if value is None else value
    lines, faults = dict(tree.lines), list(tree.faults)
    for override in overrides:
        if not _put(value, override.path, deepcopy(override.value)):
            faults.append(Diagnostic(override.path, "cannot be set: what should hold it does not"))
        lines = {p: n for p, n in lines.items() if p[: len(override.path)] != override.path}
        lines[override.path] = 0  # no line of the file says this
    return replace(tree, value=value, lines=lines, faults=tuple(faults))


def _put(value: object, path: KeyPath, new: object) -> bool:
    """Set `new` at `path`; mappings on the way are made. Returns whether that was possible."""
    at = value
    for part, after in pairwise(path):
        inner = _inner(at, part)
        if inner is None and isinstance(at, dict) and isinstance(after, str):
            inner = at[part] = {}
        at = inner
    last = path[-1]
    if isinstance(at, dict) and isinstance(last, str):
        at[last] = new
        return True
    if isinstance(at, list) and isinstance(last, int) and last < len(at):
        at[last] = new
        return True
    return False


def _inner(holder: object, part: str | int) -> object:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
        return holder[part]
    return None


def _yaml_value(where: str, text: str) -> object:
    try:
        tree = read_yaml(text.encode("utf-8", "surrogatepass"))
    except PolicyInvalid as invalid:
        raise PolicyInvalid([Problem(shown(where), p.message) for p in invalid.problems]) from None
    if tree.faults:
        raise PolicyInvalid(
            [Problem(f"{shown(where)} {render_path(f.path)}".strip(), f.message)
             for f in tree.faults]
        )  # fmt: skip
    return tree.value
