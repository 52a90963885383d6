"""Bearer keys: who gets in, and that a key file may change under the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_server.core.errors import SourceUnreadable, Unauthenticated
from pointsman_server.http_api import keys
from pointsman_server.http_api.keys import FixedKeys, KeyFile

TWO = FixedKeys(("first-key", "second-kéy"))


@pytest.mark.parametrize(
    "header",
    ["Bearer first-key", "bearer first-key", "BEARER  first-key ", "Bearer second-kéy"],
)
def test_a_valid_key_gets_in(header: str) -> None:
    keys.check(header, source=TWO)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "first-key",
        "Basic first-key",
        "Bearer first-ke",
        "Bearer first-key2",
        "Bearer First-Key",
        "Bearer first-key second-kéy",
        "Bearer \udcff",
    ],
)
def test_anything_else_does_not(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        keys.check(header, source=TWO)


def test_no_keys_let_nobody_in() -> None:
    with pytest.raises(Unauthenticated):
        keys.check("Bearer first-key", source=FixedKeys(()))


def test_a_key_file_holds_a_key_a_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# rotated monthly\n\n  first-key \nsecond-key\n")
    assert KeyFile(file).read() == ("first-key", "second-key")


def test_a_changed_key_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old-key\n")
    source = KeyFile(file)
    keys.check("Bearer old-key", source=source)
    replacement = tmp_path / "next"
    replacement.write_text("new-key\n")
    replacement.replace(file)
    keys.check("Bearer new-key", source=source)
    with pytest.raises(Unauthenticated):
        keys.check("Bearer old-key", source=source)


def test_a_key_file_that_is_gone_lets_nobody_in_until_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a-key\n")
    source = KeyFile(file)
    source.read()
    moved = file.rename(tmp_path / "away")
    with pytest.raises(SourceUnreadable) as caught:
        source.read()
    assert "a-key" not in str(caught.value)
    moved.rename(file)
    assert source.read() == ("a-key",)


def test_a_key_file_that_is_no_text_is_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceUnreadable):
        KeyFile(file).read()


def test_a_fingerprint_tells_keys_apart_and_shows_none() -> None:
    first, second = (keys.fingerprint(f"Bearer {key}") for key in TWO.keys)
    assert first is not None
    assert second is not None
    assert first != second
    assert "first" not in first
    assert len(first) == 12
    assert keys.fingerprint("Basic x") is None
