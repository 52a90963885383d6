"""Which hash keys are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_server.bootstrap.secrets import LEAST_BYTES, KnownSecrets, given_hash_key
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.settings import Settings

GOOD = "k" * LEAST_BYTES


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_none_is_given_where_the_variable_is_empty(text: str | None) -> None:
    assert given_hash_key(Settings(hash_key=text), known=KnownSecrets()) is None


def test_the_file_wins_over_the_variable_and_is_trimmed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\n{GOOD}\n")
    known = KnownSecrets()
    settings = Settings(hash_key="x" * LEAST_BYTES, hash_key_file=file)
    assert given_hash_key(settings, known=known) == GOOD.encode()
    assert known() == ("x" * LEAST_BYTES, GOOD)


@pytest.mark.parametrize("key", ["a", GOOD[1:], f" {GOOD[1:]} "])
@pytest.mark.parametrize("setting", ["hash_key", "hash_key_file"])
def test_a_key_that_can_be_found_by_trying_is_refused(
    tmp_path: Path, setting: str, key: str
) -> None:
    file = tmp_path / "key"
    file.write_text(key)
    given = {"hash_key": key} if setting == "hash_key" else {"hash_key_file": file}
    with pytest.raises(SettingInvalid, match="found by trying") as refused:
        given_hash_key(Settings(**given), known=KnownSecrets())
    assert refused.value.setting == f"POINTSMAN_{setting.upper()}"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_file_without_a_key_is_refused_by_its_setting_and_path(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingInvalid, match=f"POINTSMAN_HASH_KEY_FILE: {file}: "):
        given_hash_key(Settings(hash_key=GOOD, hash_key_file=file), known=KnownSecrets())
