from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from pointsman_server.core.errors import ArtefactInvalid, PointsmanError
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local import artefact as files


@pytest.fixture(scope="module")
def shipped() -> files.Artefact:
    return files.load()


def test_writing_what_was_read_gives_the_same_bytes(shipped: files.Artefact) -> None:
    content = files.dump(shipped)
    assert files.dump(files.parse(content)) == content


def test_the_shipped_artefact_is_small() -> None:
    assert Path(files.__file__).with_name(files.SHIPPED).stat().st_size < 4_000_000


def sealed(body: bytes) -> bytes:
    return files.MAGIC + hashlib.sha256(body).hexdigest().encode() + body


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not an artefact"),
        (b"PK\x03\x04 an archive", "not an artefact"),
        (files.MAGIC, "checksum"),
        (files.MAGIC + b"0" * 64 + b"00000002{}", "checksum"),
        (sealed(b"00000002{}"), "header"),
        (sealed(b"garbage!"), "header"),
        (sealed(b'00000024{"meta":{},"arrays":[]}'), "header"),
    ],
)
def test_what_is_no_artefact_is_refused_with_its_reason(content: bytes, why: str) -> None:
    with pytest.raises(ArtefactInvalid, match=why):
        files.parse(content)


@pytest.mark.parametrize("place", [100, 5_000, -1])
def test_one_changed_byte_is_noticed(shipped: files.Artefact, place: int) -> None:
    content = bytearray(files.dump(shipped))
    content[place] ^= 1
    with pytest.raises(ArtefactInvalid, match="checksum"):
        files.parse(bytes(content))


def test_a_truncated_file_is_noticed(shipped: files.Artefact, tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(files.dump(shipped)[:-1_000])
    with pytest.raises(ArtefactInvalid, match="checksum"):
        files.load(path)


def test_weights_for_other_features_are_refused(shipped: files.Artefact) -> None:
    other = dataclasses.replace(shipped, meta={**shipped.meta, "features": 0})
    with pytest.raises(ArtefactInvalid, match="features"):
        files.parse(files.dump(other))


def test_arrays_that_do_not_fit_are_named(shipped: files.Artefact) -> None:
    other = dataclasses.replace(shipped, easiness=shipped.easiness[:-1])
    with pytest.raises(ArtefactInvalid, match="easiness"):
        files.parse(files.dump(other))


def test_a_leverage_of_no_topic_is_refused(shipped: files.Artefact) -> None:
    other = dataclasses.replace(shipped, meta={**shipped.meta, "leverage_topic": "cooking"})
    with pytest.raises(ArtefactInvalid, match="leverage topic"):
        files.parse(files.dump(other))


def test_a_missing_file_is_a_clear_error_of_this_service(rules: LocalRules, tmp_path: Path) -> None:
    with pytest.raises(ArtefactInvalid, match="cannot be read") as caught:
        LocalEngine.load(rules, artefact=tmp_path / "none.bin")
    assert isinstance(caught.value, PointsmanError)


def test_no_word_of_a_prompt_is_in_the_artefact() -> None:
    content = Path(files.__file__).with_name(files.SHIPPED).read_bytes()
    for phrase in (b"Which of the following", b"advent of code", b"linked list", b"Natalia"):
        assert phrase not in content
