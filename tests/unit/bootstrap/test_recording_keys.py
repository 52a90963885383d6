"""Secrets get known as they are read, and old ones make room."""

from __future__ import annotations

from pathlib import Path

from pointsman_server.bootstrap.secrets import KNOWN_SECRETS, KnownSecrets, RecordingKeySource
from pointsman_server.engines.remote.keys import FileKey


def test_a_key_is_known_once_it_is_read_and_so_is_the_next_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    known = KnownSecrets()
    source = RecordingKeySource(FileKey(file), known)
    file.write_text("first-key\n")
    assert known() == ()
    assert [source.read(), source.read()] == ["first-key", "first-key"]
    assert known() == ("first-key",)
    file.write_text("the-second-key\n")
    source.read()
    assert known() == ("first-key", "the-second-key")


def test_the_oldest_are_forgotten_and_blank_ones_never_kept() -> None:
    known = KnownSecrets()
    for number in range(KNOWN_SECRETS + 2):
        known.add(f"key-{number}")
        known.add("")
    assert known() == tuple(f"key-{number}" for number in range(2, KNOWN_SECRETS + 2))
