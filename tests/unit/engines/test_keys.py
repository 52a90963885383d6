"""Where the key of a remote engine comes from, and that it is told to nobody."""

from __future__ import annotations

import os

import pytest
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.engines.remote.keys import EnvironmentKey, FileKey, key_source

KEY = "sk-canary-1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "key"


def refusal(source):
    with pytest.raises(SourceUnreadable) as caught:
        source.read()
    return str(caught.value)


def rewrite(path, text, *, mtime_ns):
    """Change a file in place, with this time of change."""
    path.write_text(text)
    os.utime(path, ns=(mtime_ns, mtime_ns))


@pytest.mark.parametrize("text", [KEY, f" {KEY}\n"])
def test_a_key_in_the_environment_is_trimmed(text):
    assert EnvironmentKey("MORPH", {"MORPH": text}).read() == KEY


@pytest.mark.parametrize("environment", [{}, {"MORPH": ""}, {"MORPH": " \n"}, {"OTHER": KEY}])
def test_without_a_key_in_the_environment_the_variable_is_named(environment):
    assert refusal(EnvironmentKey("MORPH", environment)) == (
        "environment variable MORPH holds no key"
    )


def test_the_environment_is_read_each_time():
    environment = {"MORPH": "old"}
    source = EnvironmentKey("MORPH", environment)
    source.read()
    environment["MORPH"] = KEY
    assert source.read() == KEY


def test_a_key_in_a_file_is_trimmed(path):
    path.write_text(f"\n {KEY} \n")
    assert FileKey(path).read() == KEY


def test_a_file_that_is_replaced_gives_the_new_key(path, tmp_path):
    path.write_text("sk-old")
    source = FileKey(path)
    assert source.read() == "sk-old"
    (tmp_path / "new").write_text("sk-new")
    # As large and as old: only the file is another.
    stat = path.stat()
    os.utime(tmp_path / "new", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    (tmp_path / "new").replace(path)
    assert source.read() == "sk-new"


def test_a_link_that_is_turned_gives_the_new_key(path, tmp_path):
    """How an orchestrator rotates a mounted secret."""
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"sk-{name}")
    path.symlink_to(tmp_path / "old")
    source = FileKey(path)
    assert source.read() == "sk-old"
    (tmp_path / "link").symlink_to(tmp_path / "new")
    (tmp_path / "link").replace(path)
    assert source.read() == "sk-new"


@pytest.mark.parametrize(
    ("text", "mtime_ns"), [("sk-new", 2), ("sk-newer", 1)], ids=["another time", "another size"]
)
def test_a_file_that_is_written_in_place_gives_the_new_key(path, text, mtime_ns):
    rewrite(path, "sk-old", mtime_ns=1)
    source = FileKey(path)
    source.read()
    rewrite(path, text, mtime_ns=mtime_ns)
    assert source.read() == text


def test_a_file_that_did_not_change_is_not_read_again(path):
    rewrite(path, "sk-old", mtime_ns=1)
    source = FileKey(path)
    source.read()
    rewrite(path, "sk-new", mtime_ns=1)
    assert source.read() == "sk-old"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe\x00", "not UTF-8")],
)
def test_a_file_without_a_key_is_unreadable(path, content, reason):
    path.write_bytes(content)
    assert refusal(FileKey(path)) == f"key file: {reason}"


def test_a_file_that_goes_and_comes_back_is_unreadable_only_in_between(path):
    path.write_text(KEY)
    stat = path.stat()
    source = FileKey(path)
    source.read()
    path.unlink()
    assert refusal(source) == "key file: No such file or directory"
    path.write_text(KEY)
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert source.read() == KEY


def test_an_emptied_file_does_not_leave_the_old_key_in_force(path):
    path.write_text(KEY)
    source = FileKey(path)
    source.read()
    path.write_text("")
    for _ in range(2):
        assert "canary" not in refusal(source)


def test_a_source_does_not_show_its_key(path):
    path.write_text(KEY)
    source = FileKey(path)
    source.read()
    assert "canary" not in repr(source)
    assert "canary" not in repr(EnvironmentKey("MORPH", {"MORPH": KEY}))


def test_a_named_file_wins_over_the_variable(path):
    path.write_text("from the file")
    variables = {"variable": "MORPH", "environment": {"MORPH": "from the environment"}}
    assert key_source(file=str(path), **variables).read() == "from the file"
    assert key_source(file=None, **variables).read() == "from the environment"


def test_with_neither_there_is_no_key():
    assert refusal(key_source(file=None, variable=None, environment={"": ""}))
