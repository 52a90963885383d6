from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers import DefaultReader
from pointsman_server.engines.local.readers.cascade import CascadeReader
from pointsman_server.engines.local.readers.semantic import (
    HEADER,
    MODEL,
    VOCABULARY,
    SemanticReader,
)

FOLDER = Path(__file__).parents[5] / "packages/pointsman-semantic/pointsman_semantic"

ORDERED = (
    "What is the capital of Portugal?",
    "Add OAuth2 login with PKCE to our Express app, with refresh tokens and tests.",
    "Implement a lock-free MPMC queue with hazard pointers and prove that it is linearizable.",
)


@pytest.fixture(scope="module")
def default() -> DefaultReader:
    return DefaultReader.load()


@pytest.fixture(scope="module")
def reader(default: DefaultReader) -> SemanticReader:
    return SemanticReader.load(default, folder=FOLDER)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (MODEL, VOCABULARY, HEADER):
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def test_it_orders_requests_by_effort(reader: SemanticReader) -> None:
    efforts = [reader.read(text).expected_effort for text in ORDERED]
    assert efforts == sorted(efforts)
    assert efforts[-1] - efforts[0] > 1.5


@pytest.mark.parametrize("text", ["", " ", "\x00", "猫" * 3_000, "a" * 10_000, "\n\n", "👍"])
async def test_any_text_is_read(reader: SemanticReader, text: str) -> None:
    found = await reader.read_async(text)
    assert sum(found.effort) == pytest.approx(1.0)


async def test_a_cascade_answers_as_its_readers_do(
    default: DefaultReader, reader: SemanticReader
) -> None:
    cascade = CascadeReader(default, reader, bound=1.1, deadline=10.0)
    assert await cascade.read_async(ORDERED[2]) == reader.read(ORDERED[2])
    assert CascadeReader(default, reader, bound=0.0).read(ORDERED[2]) == default.read(ORDERED[2])


def test_a_missing_file_is_named(default: DefaultReader, copied: Path) -> None:
    (copied / VOCABULARY).unlink()
    with pytest.raises(ArtefactInvalid, match=r"vocabulary\.txt cannot be read"):
        SemanticReader.load(default, folder=copied)


def test_a_broken_model_is_named(default: DefaultReader, copied: Path) -> None:
    (copied / MODEL).write_bytes(b"nothing")
    with pytest.raises(ArtefactInvalid, match=r"model\.onnx cannot be loaded"):
        SemanticReader.load(default, folder=copied)


@pytest.mark.parametrize("change", [{"format": 99}, {"calibration": {}}, {"version": None}])
def test_a_header_of_another_kind_is_refused(
    default: DefaultReader, copied: Path, change: dict[str, object]
) -> None:
    header = json.loads((copied / HEADER).read_text()) | change
    header = {key: value for key, value in header.items() if value is not None}
    (copied / HEADER).write_text(json.dumps(header))
    with pytest.raises(ArtefactInvalid):
        SemanticReader.load(default, folder=copied)
