"""The file of bearer tokens: read when it changes, kept when it cannot be read."""

from __future__ import annotations

import logging
import os

import pytest
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.transport.security.bearer_auth import token_hash
from pointsman_server.transport.security.token_file import TokenFile

ONE, TWO = token_hash("one"), token_hash("two")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens"


def test_names_and_hashes_are_read_and_comments_and_blank_lines_are_not(path):
    path.write_text(f"# who may call\n\nedge {ONE}\n  batch\t{TWO}  \n   # no more\n")
    assert TokenFile(path)() == {ONE: "edge", TWO: "batch"}


def test_a_name_may_have_several_tokens(path):
    path.write_text(f"edge {ONE}\nedge {TWO}\nedge {TWO}\n")
    assert TokenFile(path)() == {ONE: "edge", TWO: "edge"}


def test_a_token_of_two_names_is_an_error(path):
    path.write_text(f"edge {ONE}\nbatch {ONE}\n")
    with pytest.raises(SourceUnreadable, match="line 2: the token is another name's"):
        TokenFile(path)


@pytest.mark.parametrize("text", ["", "# edge comes on Monday\n"])
def test_a_file_without_tokens_lets_nobody_in_and_says_so(path, text, caplog):
    path.write_text(text)
    assert TokenFile(path)() == {}
    assert "names nobody: every call is refused" in caplog.text


def test_a_file_that_is_emptied_lets_nobody_in_any_more_and_says_so_once(path, caplog):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    path.write_text("")
    assert [tokens() for _ in range(3)] == [{}] * 3
    assert len(_warnings(caplog)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "edge",
        f"edge {ONE[:-1]}",
        f"edge {ONE}0",
        f"edge {ONE.upper()}",
        f"edge {ONE} x",
        ONE,
        "edge canary-token-in-clear",
    ],
)
def test_a_line_that_is_no_name_and_hash_is_told_by_its_number_only(path, line):
    path.write_text(f"good {TWO}\n{line}\n")
    with pytest.raises(SourceUnreadable) as caught:
        TokenFile(path)
    assert "line 2" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert ONE not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "no text"])
def test_a_file_that_cannot_be_read_at_the_start_is_an_error(path, content):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceUnreadable, match="tokens file"):
        TokenFile(path)


def test_a_file_that_changes_is_read_again(path, tmp_path):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    assert tokens() == {ONE: "edge"}
    (tmp_path / "new").write_text(f"edge {TWO}\n")
    (tmp_path / "new").replace(path)
    assert tokens() == {TWO: "edge"}


def test_a_token_that_is_taken_out_lets_nobody_in_any_more(path):
    path.write_text(f"edge {ONE}\nbatch {TWO}\n")
    tokens = TokenFile(path)
    tokens()
    path.write_text(f"batch {TWO}\n")
    assert tokens() == {TWO: "batch"}


def test_a_file_that_did_not_change_is_not_read_again(path):
    path.write_text(f"edge {ONE}\n")
    os.utime(path, ns=(1, 1))
    tokens = TokenFile(path)
    path.write_text(f"edge {TWO}\n")
    os.utime(path, ns=(1, 1))
    assert tokens() == {ONE: "edge"}


@pytest.mark.parametrize("damage", ["gone", "broken", "no text"])
def test_a_file_that_becomes_unreadable_keeps_the_tokens_read_last_and_warns_once(
    path, damage, caplog
):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    match damage:
        case "gone":
            path.unlink()
        case "broken":
            path.write_text("half a li")
        case "no text":
            path.write_bytes(b"\xff\xfe\x00")
    assert [tokens() for _ in range(3)] == [{ONE: "edge"}] * 3
    assert len(_warnings(caplog)) == 1
    path.write_text(f"edge {TWO}\n")
    assert tokens() == {TWO: "edge"}
    path.unlink()
    tokens()
    assert len(_warnings(caplog)) == 2


def _warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def _broken(path, text):
    path.with_name("new").write_text(text)
    path.with_name("new").replace(path)


def test_each_file_that_is_refused_is_told_and_counted_once(path, caplog):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    assert tokens.reloads() == {"taken": 0, "refused": 0}
    _broken(path, "half a li")
    for _ in range(3):
        tokens()
    _broken(path, f"edge {TWO}\nedge\n")
    for _ in range(3):
        tokens()
    path.unlink()
    for _ in range(3):
        tokens()
    assert [text.partition("tokens file")[2] for text in _warnings(caplog)] == [
        ", line 1: expected `name sha256-in-hex`",
        ", line 2: expected `name sha256-in-hex`",
        ": No such file or directory",
    ]
    assert tokens() == {ONE: "edge"}
    assert tokens.reloads() == {"taken": 0, "refused": 3}


def test_a_file_that_was_refused_is_not_read_again_until_it_changes(path, monkeypatch):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    _broken(path, "half a li")
    tokens()
    read = []
    opened = os.open
    monkeypatch.setattr(os, "open", lambda p, *how: (read.append(p), opened(p, *how))[1])
    for _ in range(3):
        tokens()
    assert read == []
    _broken(path, f"batch {TWO}\n")
    assert [tokens() for _ in range(3)] == [{TWO: "batch"}] * 3
    assert len(read) == 1


def test_a_file_that_comes_back_as_it_was_is_in_force_and_its_next_loss_is_told(path, caplog):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    for _ in range(2):
        path.rename(path.with_name("away"))
        tokens()
        path.with_name("away").rename(path)
        assert tokens() == {ONE: "edge"}
    assert len(_warnings(caplog)) == 2
    assert tokens.reloads() == {"taken": 0, "refused": 2}


def test_whoever_asks_for_the_count_sees_a_change_that_no_call_has_met(path):
    path.write_text(f"edge {ONE}\n")
    tokens = TokenFile(path)
    path.write_text(f"batch {TWO}\nedge {ONE}\n")
    assert tokens.reloads() == {"taken": 1, "refused": 0}
    path.write_text("half a li")
    assert tokens.reloads() == {"taken": 1, "refused": 1}


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"edge {EMPTY}\n", "line 1: is the hash of an empty token"),
        (f"edge {ONE}\nother {EMPTY}\n", "line 2: is the hash of an empty token"),
        (f"\ufeffedge {ONE}\n", "line 1: starts with a byte order mark"),
        ("\ufeff", "line 1: starts with a byte order mark"),
    ],
)
def test_a_file_that_lets_anybody_in_or_names_nobody_by_accident_is_refused(path, content, why):
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceUnreadable, match=why):
        TokenFile(path)
