"""A policy file: it is loaded, or refused with problems that can be told."""

from __future__ import annotations

from collections.abc import Iterator

from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.policies.check import rendered
from pointsman_server.policies.diagnostics import MOST_PROBLEMS
from pointsman_server.policies.schema import parse

from fuzz.targets.target import DATA, Target, plain

ENVIRONMENT = {"HOME": "/home/fuzz"}
LONGEST_LINE = 5_000


def read(data: bytes) -> None:
    try:
        found = parse(data, environment=ENVIRONMENT).warnings
    except PolicyInvalid as invalid:
        found = invalid.problems
        assert found, "refused without a reason"
    assert len(found) <= MOST_PROBLEMS + 1
    for line in rendered(found):
        assert line, "a problem without words"
        assert line.isprintable(), "control characters for a terminal"
        assert len(line) <= LONGEST_LINE, "a line of the log without a bound"


def seeds() -> Iterator[bytes]:
    yield (DATA / "cases_policy.yaml").read_bytes()
    for path in sorted(DATA.glob("policies/*/*.yaml")):
        yield path.read_bytes()


TARGET = Target(opened=plain(read), seeds=seeds, longest=8_192, mutations=60)
