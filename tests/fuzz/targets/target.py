"""What is fuzzed: a reader of bytes, opened once for many inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
Reader = Callable[[bytes], None]
"""Raises for nothing but a defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader."""

    opened: Callable[[], AbstractContextManager[Reader]]
    seeds: Callable[[], Iterable[bytes]]
    """Inputs that get far."""
    longest: int = 4_096
    """Bytes of the longest input that the fuzzer makes."""
    mutations: int = 200
    """How many inputs `make test` makes up."""


def plain(reader: Reader) -> Callable[[], AbstractContextManager[Reader]]:
    """Of a reader that needs no opening."""
    return lambda: nullcontext(reader)
