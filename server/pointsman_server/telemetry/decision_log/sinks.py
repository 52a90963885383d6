"""Sinks of the decision log: standard output, a rotating file."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from pointsman_server.core.policy_file import LogRules

STDOUT = 1


class Sink(Protocol):
    """Takes whole lines. Called from one thread only; may block."""

    def write(self, lines: bytes) -> None:
        """Write all of `lines`. Raises `OSError`."""
        ...

    def close(self) -> None:
        """Release the sink."""
        ...


class DescriptorSink:
    """An open file descriptor that somebody else closes.

    Not `sys.stdout`: its buffer's lock, held by a thread that waits for a stuck reader, would keep
    the interpreter from ending.
    """

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor

    def write(self, lines: bytes) -> None:
        """Write all of `lines`. Raises `OSError`.

        In pieces of whole lines that a pipe takes in one (POSIX, `write`): several processes may
        write to it, and none may cut another's line in two.
        """
        whole, start = memoryview(lines), 0
        while start < len(lines):
            end = _end_of_piece(lines, start)
            while start < end:
                start += os.write(self._descriptor, whole[start:end])

    def close(self) -> None:
        """Nothing is ours to close."""


class RotatingFile:
    """A file that is renamed to `<name>.1`, `.2`, ... when the next lines would make it too long.

    Several processes may write to one file: each locks it for a batch. A process that finds its
    file moved, by another process or by external rotation, reopens it.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._descriptor: int | None = None

    def write(self, lines: bytes) -> None:
        """Append `lines`. Raises `OSError`; the next call tries again."""
        try:
            while lines:
                lines = self._write_some(lines)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _write_some(self, lines: bytes) -> bytes:
        """Write as many whole lines as the file has room for; return the others."""
        with self._locked() as descriptor:
            return self._write_to(descriptor, lines)

    def _write_to(self, descriptor: int, lines: bytes) -> bytes:
        size = os.fstat(descriptor).st_size
        room = self._max_bytes - size
        cut = len(lines) if len(lines) <= room else lines.rfind(b"\n", 0, max(room, 0)) + 1
        if cut == 0 and size > 0:
            self._rotate()
            return lines
        # A line longer than a file gets a separate file.
        cut = cut or lines.find(b"\n") + 1
        self._append(descriptor, lines[:cut])
        return lines[cut:]

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file at our path, open, and nobody else's until the end of the block."""
        while True:
            descriptor = self._open() if self._descriptor is None else self._descriptor
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not self._moved(descriptor):
                break
            self.close()  # also unlocks
        try:
            yield descriptor
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        return self._descriptor

    def _moved(self, descriptor: int) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        ours = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _rotate(self) -> None:
        if self._backups == 0:
            self._path.unlink(missing_ok=True)
            return
        for number in range(self._backups, 0, -1):
            older = self._backup(number - 1) if number > 1 else self._path
            with suppress(FileNotFoundError):
                older.replace(self._backup(number))

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _append(self, descriptor: int, lines: bytes) -> None:
        before = os.fstat(descriptor).st_size
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            # A full disk takes part of a line; half a line would spoil the next one too.
            os.ftruncate(descriptor, before)
            raise


def _end_of_piece(lines: bytes, start: int) -> int:
    """The end of the lines from `start` on that a pipe writes atomically, or of one long line."""
    if len(lines) - start <= select.PIPE_BUF:
        return len(lines)
    end = lines.rfind(b"\n", start, start + select.PIPE_BUF) + 1
    return end or lines.find(b"\n", start) + 1 or len(lines)


def build_sinks(rules: LogRules) -> tuple[Sink, ...]:
    """Build the sinks that `rules` name."""
    sinks: list[Sink] = [DescriptorSink()] if rules.stdout else []
    if rules.file is not None:
        file = RotatingFile(
            Path(rules.file), max_bytes=rules.file_max_bytes, backups=rules.file_backups
        )
        sinks.append(file)
    return tuple(sinks)
