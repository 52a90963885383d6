from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.core.policy_file import LocalRules, ReaderKind
from pointsman_server.engines.local.container import Container, pack, unpack
from pointsman_server.engines.local.readers import DefaultReader
from pointsman_server.engines.local.readers.default import MAGIC, content_of
from pointsman_server.engines.local.readers.loading import load_reader


@pytest.fixture(scope="module")
def shipped() -> Container:
    return unpack(content_of(None), magic=MAGIC)


def with_arrays(container: Container, **arrays: Any) -> Container:
    return replace(container, arrays=dict(container.arrays) | arrays)


@pytest.mark.parametrize("name", ["vocabulary", "table", "gate", "heads"])
def test_an_artefact_without_an_array_is_refused(shipped: Container, name: str) -> None:
    arrays = {key: value for key, value in shipped.arrays.items() if key != name}
    with pytest.raises(ArtefactInvalid, match=f"lacks the arrays {name}"):
        DefaultReader(replace(shipped, arrays=arrays))


def test_an_artefact_of_another_format_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "reader.bin"
    path.write_bytes(b"POINTSMAN READER 2\n" + b"0" * 200)
    with pytest.raises(ArtefactInvalid, match="READER 2', and 'POINTSMAN READER 3' is read here"):
        DefaultReader.load(path)
    path.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(ArtefactInvalid, match="not an artefact of the engine"):
        DefaultReader.load(path)


@pytest.mark.parametrize("name", ["aside_threshold", "aside_least_evidence"])
def test_a_header_without_a_threshold_is_refused(shipped: Container, name: str) -> None:
    meta = {key: value for key, value in shipped.meta.items() if key != name}
    with pytest.raises(ArtefactInvalid, match="thresholds of asides"):
        DefaultReader(replace(shipped, meta=meta))
    with pytest.raises(ArtefactInvalid, match="thresholds of asides are not finite"):
        DefaultReader(replace(shipped, meta={**shipped.meta, name: float("nan")}))


def test_arrays_that_do_not_fit_are_refused(shipped: Container) -> None:
    short = shipped.arrays["table"][:-1]
    with pytest.raises(ArtefactInvalid, match="do not fit together: table"):
        DefaultReader(with_arrays(shipped, table=short))
    with pytest.raises(ArtefactInvalid, match="number of dimensions"):
        DefaultReader(with_arrays(shipped, heads=shipped.arrays["heads"][0]))


def test_weights_that_are_no_numbers_are_refused(shipped: Container) -> None:
    broken = shipped.arrays["middle"].copy()
    broken[0, 0] = np.nan
    with pytest.raises(ArtefactInvalid, match="not finite"):
        DefaultReader(with_arrays(shipped, middle=broken))


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, shipped: Container) -> None:
    path = tmp_path / "reader.bin"
    path.write_bytes(pack(shipped, magic=MAGIC)[:-1])
    with pytest.raises(ArtefactInvalid, match="checksum"):
        DefaultReader.load(path)
    with pytest.raises(ArtefactInvalid, match="cannot be read: No such file or directory"):
        DefaultReader.load(tmp_path / "none")


def test_an_artefact_of_the_policy_file_has_to_be_robust(
    tmp_path: Path, shipped: Container
) -> None:
    path = tmp_path / "reader.bin"
    rules = LocalRules(quality_loss={}, artefact=str(path))
    path.write_bytes(pack(shipped, magic=MAGIC))
    assert load_reader(rules).version == shipped.meta["version"]
    flat = with_arrays(shipped, heads=np.zeros_like(shipped.arrays["heads"]))
    path.write_bytes(pack(flat, magic=MAGIC))
    with pytest.raises(ArtefactInvalid, match="does not tell a trivial request"):
        load_reader(rules)


def test_a_semantic_reader_that_is_not_installed_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "pointsman_server.engines.local.readers.semantic.PACKAGE", "pointsman_no_such_package"
    )
    with pytest.raises(
        ArtefactInvalid, match=r"pip install ./packages/pointsman-semantic '.\[semantic\]'"
    ):
        load_reader(LocalRules(quality_loss={}, reader=ReaderKind.AUTO))


def test_a_reload_takes_the_reader_that_it_has(tmp_path: Path) -> None:
    own = tmp_path / "own.bin"
    own.write_bytes(content_of(None))
    assert DefaultReader.load() is DefaultReader.load(own)
    own.write_bytes(content_of(None)[:-1])
    with pytest.raises(ArtefactInvalid):
        DefaultReader.load(own)
