import errno
import os
import threading
from pathlib import Path

import pytest
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry.log_sinks import DescriptorSink, RotatingFile, build_sinks


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    file = RotatingFile(path, max_bytes=1_000, backups=1)

    file.write(b"one\ntwo\n")
    file.write(b"three\n")
    file.close()

    assert path.read_bytes() == b"before\none\ntwo\nthree\n"


def test_a_full_file_moves_on_and_the_oldest_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=10, backups=2)

    for number in range(7):
        file.write(b"line%d\n" % number)
    file.close()

    assert path.read_bytes() == b"line6\n"
    assert (tmp_path / "log.1").read_bytes() == b"line5\n"
    assert (tmp_path / "log.2").read_bytes() == b"line4\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1", "log.2"]


def test_a_batch_is_split_between_lines_where_a_file_is_full(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=15, backups=3)

    file.write(b"one\ntwo\nthree\nfour\nfive\n")
    file.close()

    assert (tmp_path / "log.1").read_bytes() == b"one\ntwo\nthree\n"
    assert path.read_bytes() == b"four\nfive\n"


def test_a_line_longer_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=8, backups=3)

    file.write(b"short\n" + b"x" * 20 + b"\nend\n")
    file.close()

    assert (tmp_path / "log.2").read_bytes() == b"short\n"
    assert (tmp_path / "log.1").read_bytes() == b"x" * 20 + b"\n"
    assert path.read_bytes() == b"end\n"


def test_without_backups_a_full_file_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=6, backups=0)

    file.write(b"line1\n")
    file.write(b"line2\n")
    file.close()

    assert [p.name for p in tmp_path.iterdir()] == ["log"]
    assert path.read_bytes() == b"line2\n"


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=1_000, backups=1)
    file.write(b"one\n")
    path.rename(tmp_path / "kept")

    file.write(b"two\n")
    file.close()

    assert path.read_bytes() == b"two\n"
    assert (tmp_path / "kept").read_bytes() == b"one\n"


def test_a_directory_that_is_not_there_fails_until_it_is(tmp_path: Path) -> None:
    path = tmp_path / "later" / "log"
    file = RotatingFile(path, max_bytes=1_000, backups=1)
    with pytest.raises(FileNotFoundError):
        file.write(b"lost\n")
    path.parent.mkdir()

    file.write(b"kept\n")
    file.close()

    assert path.read_bytes() == b"kept\n"


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=1_000, backups=1)
    file.write(b"whole\n")
    write, room = os.write, iter([3])

    def full(descriptor: int, data: bytes) -> int:
        for count in room:
            return write(descriptor, bytes(data)[:count])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"cut off\n")
    monkeypatch.undo()

    file.write(b"after\n")
    file.close()

    assert path.read_bytes() == b"whole\nafter\n"


def test_a_pipe_gets_all_however_little_it_takes_at_once() -> None:
    reading, writing = os.pipe()
    lines = b"x" * 99 + b"\n"
    received = bytearray()

    def read() -> None:
        while chunk := os.read(reading, 4_096):
            received.extend(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    sink = DescriptorSink(writing)
    sink.write(lines * 5_000)
    sink.close()
    os.close(writing)
    thread.join(10)
    os.close(reading)

    assert bytes(received) == lines * 5_000


@pytest.mark.parametrize(
    ("rules", "kinds"),
    [
        (LogRules(), [DescriptorSink]),
        (LogRules(stdout=False, file="here"), [RotatingFile]),
        (LogRules(file="here"), [DescriptorSink, RotatingFile]),
        (LogRules(stdout=False), []),
    ],
)
def test_the_policy_file_names_the_sinks(rules: LogRules, kinds: list[type]) -> None:
    assert [type(sink) for sink in build_sinks(rules)] == kinds
