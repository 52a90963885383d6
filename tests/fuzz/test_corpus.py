"""What fuzzing found stays fixed, and a few made-up inputs a target go through at every run.

Replays `corpus/TARGET/*` without the fuzzer; `make fuzz` looks for more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.targets import TARGETS
from fuzz.targets.target import Target

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
ALL_BYTES = range(256)


def mutated(target: Target, dice: random.Random) -> Iterator[bytes]:
    """Seeds with a few bytes changed, cut out, doubled, or brought from another seed."""
    seeds = [seed[: target.longest] for seed in target.seeds()]
    for _ in range(target.mutations):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data) + 1)
            end = min(len(data), at + dice.choice((1, 2, 8, 64)))
            other = dice.choice(seeds)
            start = dice.randrange(len(other) + 1)
            data[at:end] = dice.choice(
                (
                    bytes((dice.choice(ALL_BYTES),)),
                    b"",
                    bytes(data[at:end]) * 2,
                    other[start : start + dice.choice((4, 32, 256))],
                )
            )
        yield bytes(data[: target.longest])


def test_every_folder_of_the_corpus_is_of_a_target():
    assert {path.parent.name for path in FOUND} <= set(TARGETS)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_read(path: Path):
    with TARGETS[path.parent.name].opened() as read:
        read(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_what_gets_far_is_read(name: str):
    target = TARGETS[name]
    with target.opened() as read:
        for seed in target.seeds():
            read(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_are_read(name: str):
    target = TARGETS[name]
    with target.opened() as read:
        for data in mutated(target, random.Random(name)):
            try:
                read(data)
            except Exception as error:
                error.add_note(f"for a file in tests/fuzz/corpus/{name}: {data!r}")
                raise
