import errno
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry.decision_log.sinks import DescriptorSink, RotatingFile, build_sinks


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


def test_a_pipe_gets_lines_in_pieces_that_it_takes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that lines of several processes never mix: POSIX promises it up to PIPE_BUF bytes."""
    pieces: list[bytes] = []

    def noted(_: int, piece: memoryview) -> int:
        pieces.append(bytes(piece))
        return len(piece)

    monkeypatch.setattr(os, "write", noted)
    lines = b"".join(b"%d %s\n" % (n, b"x" * (n * 37 % 1_500)) for n in range(200))
    too_long = b"y" * 3 * select.PIPE_BUF + b"\n"
    DescriptorSink(1).write(lines + too_long + lines)

    assert b"".join(pieces) == lines + too_long + lines
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert [p for p in pieces if len(p) > select.PIPE_BUF] == [too_long]


WRITERS, BATCHES = 4, 60
WRITER = """if True:
    import sys
    from pathlib import Path
    from pointsman_server.telemetry.decision_log.sinks import RotatingFile
    path, name, batches = sys.argv[1:]
    file = RotatingFile(Path(path), max_bytes=10_000, backups=400)
    print("ready", flush=True)
    sys.stdin.readline()
    for batch in range(int(batches)):
        lines = [f"{name}-{batch}-{n} " + "x" * (n * 7) for n in range(20)]
        file.write("".join(line + chr(10) for line in lines).encode())
    file.close()
"""


def test_processes_that_share_a_file_lose_no_line_and_move_it_away_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n), str(BATCHES)], **pipes)
        for n in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()  # all go
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
    assert [writer.wait() for writer in writers] == [0] * WRITERS

    files = list(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_text().splitlines()]
    expected = [
        f"{name}-{batch}-{n} " + "x" * (n * 7)
        for name in range(WRITERS)
        for batch in range(BATCHES)
        for n in range(20)
    ]
    assert sorted(lines) == sorted(expected)
    # A file that two of them moved away would leave one that is all but empty.
    assert all(file.stat().st_size > 9_000 for file in files if file != path)


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
