"""Files that settings name: which ones are read, and when they are read again."""

from __future__ import annotations

import os
import threading

import pytest
from pointsman_server.lib.watched_file import (
    FileUnreadable,
    FileUnsuitable,
    WatchedFile,
    read_file,
)

MOST = 64


def refusal(read):
    with pytest.raises(FileUnreadable) as caught:
        read()
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.fixture
def fifo(path):
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("size", [0, 1, MOST])
def test_a_regular_file_is_read_up_to_its_bound(path, size):
    path.write_bytes(b"x" * size)
    assert read_file(path, most=MOST) == b"x" * size


def test_a_larger_file_is_refused(path):
    path.write_bytes(b"x" * (MOST + 1))
    assert refusal(lambda: read_file(path, most=MOST)) == "larger than 64 bytes"


@pytest.mark.timeout(5)
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_a_device_is_refused(device):
    assert refusal(lambda: read_file(device, most=MOST)) == "not a regular file"


@pytest.mark.timeout(5)
def test_a_fifo_without_a_writer_is_refused_without_waiting(fifo):
    assert refusal(lambda: read_file(fifo, most=MOST)) == "not a regular file"
    assert refusal(WatchedFile(fifo, most=MOST).changed) == "not a regular file"


@pytest.mark.timeout(5)
def test_a_fifo_with_a_writer_is_refused_too(fifo):
    writer = threading.Thread(target=lambda: os.close(os.open(fifo, os.O_RDWR)))
    writer.start()
    assert refusal(lambda: read_file(fifo, most=MOST)) == "not a regular file"
    writer.join()


def test_a_folder_a_link_in_a_circle_and_a_missing_file_are_refused_in_the_system_s_words(tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    told = [
        refusal(lambda path=path: read_file(path, most=MOST))
        for path in (tmp_path, tmp_path / "none", circle)
    ]
    assert told == [
        "not a regular file",
        "No such file or directory",
        "Too many levels of symbolic links",
    ]


def test_a_path_that_no_system_takes_is_refused():
    assert refusal(lambda: read_file("a\0b", most=MOST)) == "not a usable path"
    assert refusal(WatchedFile("a\0b", most=MOST).changed) == "not a usable path"


def test_a_watched_file_gives_its_text_once_for_every_change(path):
    path.write_text("one")
    file = WatchedFile(path, most=MOST)
    assert [file.changed(), file.changed()] == ["one", None]
    path.write_text("three")
    assert [file.changed(), file.changed()] == ["three", None]


def test_a_missing_file_is_tried_again_and_read_when_it_comes(path):
    file = WatchedFile(path, most=MOST)
    assert refusal(file.changed) == refusal(file.changed) == "No such file or directory"
    path.write_text("here")
    assert file.changed() == "here"


def test_a_file_that_comes_back_unchanged_is_read_again(path, tmp_path):
    path.write_text("same")
    file = WatchedFile(path, most=MOST)
    file.changed()
    path.rename(tmp_path / "away")
    refusal(file.changed)
    (tmp_path / "away").rename(path)
    assert file.changed() == "same"


@pytest.mark.parametrize(
    ("content", "why"), [(b"\xff\xfe", "not UTF-8"), (b"x" * 65, "larger than 64 bytes")]
)
def test_an_unsuitable_file_is_refused_with_every_call_until_it_changes(path, content, why):
    path.write_bytes(content)
    file = WatchedFile(path, most=MOST)
    for _ in range(3):
        with pytest.raises(FileUnsuitable, match=why):
            file.changed()
    path.write_text("good")
    assert file.changed() == "good"
