"""Unix sockets to listen on, guarded as ports are: gRPC would replace another process's socket."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_USE = "another process listens on it"
_NOBODY = frozenset({errno.ECONNREFUSED, errno.ENOENT})


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold the right to listen on `path`. Raises `OSError` where another process has it.

    A lock beside the socket keeps out a process that starts at the same time. A socket whose
    process has ended is left for gRPC to replace.
    """
    lock = path.with_name(f"{path.name}.lock")
    descriptor = _locked(lock)
    try:
        _check_unused(path)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(lock: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed it between the two steps.
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise OSError(errno.EADDRINUSE, _IN_USE) from None
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _check_unused(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        # A full backlog would block, and has a listener as well.
        probe.setblocking(False)  # noqa: FBT003
        error = probe.connect_ex(str(path))
    if error in _NOBODY:
        return
    taken = error in (0, errno.EAGAIN, errno.EINPROGRESS)
    raise OSError(error or errno.EADDRINUSE, _IN_USE if taken else os.strerror(error))
