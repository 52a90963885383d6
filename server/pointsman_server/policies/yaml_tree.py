"""YAML text -> plain values, with the line of each and every fault of the text at once.

Scalars are read as YAML 1.2's core schema reads them: `off`, `no` and `2026-01-01` are text, so
that `mode: off` is the mode. Tags other than the core ones are refused. The cost of a hostile file
is bounded: its size, its nesting, and the values that its aliases expand to.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import yaml

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.lib.background_work import release
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, shown

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 50_000

BROKEN = object()
"""Placeholder of an unreadable value, whose error is already recorded."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS: Mapping[str, Callable[[str], object]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda text: text.lower() == "true",
    f"{_TAG}int": int,
    f"{_TAG}float": float,
    f"{_TAG}str": str,
}


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A parsed text: dicts with text keys, lists, text, numbers, booleans, None, `BROKEN`."""

    value: object
    lines: Mapping[KeyPath, int]
    """KeyPath -> line of the key or list item, from 1."""
    faults: tuple[Diagnostic, ...]


def read_yaml(data: bytes) -> YamlTree:
    """Read one UTF-8 document.

    Raises `PolicyInvalid` where there is no document to speak of: too large, not UTF-8, broken
    syntax, too deep. Duplicate keys and the like are `faults` of the tree instead.
    """
    if len(data) > MAX_BYTES:
        raise PolicyInvalid([Problem("", f"is larger than {MAX_BYTES:,} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})"
        raise PolicyInvalid([Problem("", message)]) from None
    nodes: deque[object] = deque()
    try:
        return _read(text, nodes)
    except yaml.YAMLError as error:
        # Not chained: the original prints an excerpt of the file, which may hold a secret.
        raise PolicyInvalid([Problem("", _syntax_message(error))]) from None
    finally:
        release(nodes)


def _read(text: str, nodes: deque[object]) -> YamlTree:
    root = _Composer(text, nodes).get_single_node()
    walk = _Walk()
    value = None if root is None else walk.value(root, ())
    return YamlTree(value, walk.lines, tuple(walk.faults))


class _Composer(yaml.SafeLoader):
    """PyYAML's composer with the core schema's scalars and a bound on nesting.

    It appends each node to `nodes`, after those that the node holds.
    """

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own class attribute, emptied here

    def __init__(self, text: str, nodes: deque[object]) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = nodes

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        mark = parent.start_mark if parent else None
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=mark)
        if len(self._nodes) + self._depth > 2 * MAX_VALUES:  # keys are nodes too
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_VALUES:,} values", problem_mark=mark
            )
        try:
            node = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        self._nodes.append(node)
        return node


_NUMBER_STARTS = list("-+.0123456789")
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    # Longer ones are floats: Python refuses to read integers of thousands of digits.
    ("int", r"[-+]?[0-9]{1,18}", _NUMBER_STARTS),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _NUMBER_STARTS),
    ("merge", r"<<", ["<"]),
):
    _Composer.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"^(?:{_pattern})\\Z"), _first)


@dataclass(slots=True)
class _Walk:
    """Nodes -> values. Aliases are followed, within `MAX_VALUES` and never around in a circle."""

    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[Diagnostic] = field(default_factory=list)
    _values: int = 0
    _open: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise PolicyInvalid(
                [
                    Problem(
                        "", f"holds more than {MAX_VALUES:,} values, those behind aliases included"
                    )
                ]
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            return self._broken(path, "an alias leads back to what holds it")
        if len(path) >= MAX_DEPTH:
            return self._broken(path, f"nested deeper than {MAX_DEPTH}")
        self._open.add(id(node))
        try:
            return self._collection(node, path)
        finally:
            self._open.discard(id(node))

    def _collection(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._broken(path, f"the tag {shown(node.tag)} is not supported")

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        read = _SCALARS.get(node.tag)
        if read is None:
            return self._broken(path, f"the tag {shown(node.tag)} is not supported")
        try:
            return read(node.value)
        except ValueError:
            return self._broken(path, "is not what its tag says")

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        own: dict[str, object] = {}
        brought: list[yaml.Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(Diagnostic(path, f"a key is not plain text (line {line})"))
            elif key_node.tag == _MERGE:
                brought.append(value_node)
            elif key_node.value in own:
                at = self.lines[(*path, key_node.value)]
                message = f"is there twice: on line {at} and on line {line}"
                self.faults.append(Diagnostic((*path, key_node.value), message))
            else:
                self.lines.setdefault((*path, key_node.value), line)
                own[key_node.value] = self.value(value_node, (*path, key_node.value))
        for node_brought in brought:
            own = self._merge(node_brought, path) | own
        return own

    def _merge(self, node: yaml.Node, path: KeyPath) -> dict[str, object]:
        """Read the entries that `<<` brings: of one mapping, or of several, the first winning."""
        found = self.value(node, path)
        result: dict[str, object] = {}
        for mapping in found if isinstance(found, list) else [found]:
            if isinstance(mapping, dict):
                result = mapping | result
            elif mapping is not BROKEN:
                self.faults.append(Diagnostic(path, "`<<` takes a mapping or a list of mappings"))
        return result

    def _broken(self, path: KeyPath, message: str) -> object:
        self.faults.append(Diagnostic(path, message))
        return BROKEN


def mapping_in(document: object, key: str) -> Mapping[str, object]:
    """The mapping under `key` of a parsed text; an empty one if there is none."""
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _syntax_message(error: yaml.YAMLError) -> str:
    """Describe PyYAML's error and its location, without its excerpt of the file."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return "is not YAML: a character that YAML does not allow"
    problem = error.problem or "broken syntax"
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    mark = error.problem_mark or error.context_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"is not YAML: {shown(problem)}{where}"
