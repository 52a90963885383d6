"""`--set PATH=VALUE` over the built-in policy file, and the same as a variable."""

from __future__ import annotations

from collections.abc import Iterator

from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.policies.overrides import applied, assignment, from_environment
from pointsman_server.policies.yaml_tree import read_yaml

from fuzz.targets.target import Target, plain

TREE = read_yaml(b"tiers: {a: {candidates: [x, {model: y}]}}\nmode: serve\n")


def read(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")  # as arguments and variables come
    try:
        applied(TREE, [assignment(text)])
    except PolicyInvalid as invalid:
        assert all(p.message for p in invalid.problems)
    name, _, value = text.partition("=")
    try:
        applied(TREE, from_environment({f"POINTSMAN_POLICY__{name}": value}))
    except PolicyInvalid as invalid:
        assert all(p.message for p in invalid.problems)


def seeds() -> Iterator[bytes]:
    yield b"mode=off"
    yield b'tiers."kilo-auto/small".candidates[1].model={weight: 3}'
    yield b"TIERS__A__CANDIDATES=[a, b]"
    yield b"llm.profiles.cheap=&a [*a, *a]"


TARGET = Target(opened=plain(read), seeds=seeds, longest=512)
