"""Turns by phrases first, then by the request reader."""

from __future__ import annotations

import pytest
from pointsman_server.core.model import Prompt
from pointsman_server.core.turn import Turn, turn_of
from pointsman_server.engines.local.readers import DefaultReader
from pointsman_server.engines.local.turn_reader import LONGEST, LocalTurnReader


@pytest.fixture(scope="module")
def reader() -> LocalTurnReader:
    return LocalTurnReader(DefaultReader.load().read)


@pytest.mark.parametrize(
    "prompt",
    [
        "hi",
        "yes",
        "sí, hazlo",
        "thanks, looks good",
        "do it again but faster",
        "again, but shorter please",
        "ok thanks!",
        "go on",
        "yes, b.py",
        "my answer: option b",
        "One more thing: thanks",
        "yes: continue with the second",
        "continue with b.py",
        "oui, dans b.py",
    ],
)
def test_a_turn_without_a_task(reader: LocalTurnReader, prompt: str) -> None:
    assert turn_of(Prompt(), reader.read(prompt)) is Turn.NO_TASK


@pytest.mark.parametrize(
    "prompt",
    [
        "Rename the variable `foo` to `userCount` in utils.py.",
        "What does HTTP status 418 mean?",
        "Format this file with black and sort the imports.",
        "Переименуй foo в bar",
        "プログラムを書いて",
        "Write a haiku about autumn",
        "git push",
        "run the tests",
        "Prove Fermat's little theorem.",
        "now in Rust",
        "jetzt in Rust",
        "теперь на Rust",
        "用Rust重写",
        "Rustで書いて",
        "en español",
        "as JSON",
        "no, use Postgres",
        "Sort b.py please, now.",
        "整理 b.py",
        "Convert this class to a dataclass: class A: pass",
        "Explain: while True: continue",
        '{"task": "sort imports"}',
    ],
)
def test_a_task(reader: LocalTurnReader, prompt: str) -> None:
    found = reader.read(prompt)
    assert turn_of(Prompt(), found) is Turn.TASK
    assert found is not None
    assert found.effort is not None


def test_long_prompts_are_left_to_the_engine() -> None:
    def estimate(_: str) -> object:
        raise AssertionError("a long prompt was estimated")

    reader = LocalTurnReader(estimate)  # type: ignore[arg-type]
    found = reader.read("Sort the imports of this file. " * LONGEST)
    assert turn_of(Prompt(), found) is Turn.TASK
