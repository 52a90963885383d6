"""Files that operators name in settings: read with a bound, and read again when they change.

A FIFO would block its reader and a device would never end, so only regular files are read. The
texts of errors quote no content.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, TypeAlias

SECRET_BYTES: Final = 64 * 1024
"""More than any key, token or password has."""
LIST_BYTES: Final = 16 * 1024 * 1024
"""More than any list of tokens or bundle of certificates has."""

# A FIFO without a writer opens at once with O_NONBLOCK; regular files ignore it.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_Mark: TypeAlias = tuple[int, int, int]


class FileUnreadable(Exception):
    """The file is missing or forbidden, or a `FileUnsuitable`; the text is the reason alone."""


class FileUnsuitable(FileUnreadable):
    """The file is not regular, too large or no text: reading it again gives the same."""


def read_file(path: Path | str, *, most: int) -> bytes:
    """Read a regular file of at most `most` bytes. Raises `FileUnreadable`."""
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileUnsuitable("not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(most + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileUnreadable(error.strerror or type(error).__name__) from None
    except ValueError:
        raise FileUnreadable("not a usable path") from None
    if len(content) > most:
        raise FileUnsuitable(f"larger than {most:,} bytes")
    return content


class WatchedFile:
    """A text that is read again when the file's inode, size or modification time changes.

    A file that could not be read is tried again with each call, since rights that are granted
    change none of the three.
    """

    def __init__(self, path: Path | str, *, most: int) -> None:
        self._path = os.fspath(path)
        self._most = most
        self._mark: _Mark | None = None
        self._unsuitable: FileUnsuitable | None = None

    def changed(self) -> str | None:
        """The text if it changed since the last call, else `None`. Raises `FileUnreadable`."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  (half of what `Path.stat` takes)
        except (OSError, ValueError) as error:
            self._mark = None
            raise FileUnreadable(getattr(error, "strerror", None) or "not a usable path") from None
        mark = found.st_ino, found.st_size, found.st_mtime_ns
        if mark != self._mark:
            self._mark = self._unsuitable = None
            return self._read(mark)
        if self._unsuitable is not None:
            raise self._unsuitable
        return None

    def _read(self, mark: _Mark) -> str:
        try:
            text = read_file(self._path, most=self._most).decode()
        except FileUnsuitable as error:
            self._mark, self._unsuitable = mark, error
            raise
        except UnicodeDecodeError:
            self._mark, self._unsuitable = mark, FileUnsuitable("not UTF-8")
            raise self._unsuitable from None
        self._mark = mark
        return text
