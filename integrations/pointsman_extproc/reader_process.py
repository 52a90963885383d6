"""A process that reads bodies: `python -m pointsman_extproc.reader_process`.

A parser written in C holds the interpreter for as long as a body takes, and some bodies take
seconds and hundreds of megabytes. In here they hold up nobody, and the pool ends the process when
one takes too long. Questions and answers are pickled: both ends are this package.
"""

from __future__ import annotations

import contextlib
import pickle
import struct
import sys
from typing import BinaryIO

from pointsman_extproc.reading import Question, Reading, read

HEAD = struct.Struct("!II")
"""Before a question: the bytes of the question and of the body. Before an answer: its own."""
MOST_MEMORY = 2 * 1024 * 1024 * 1024
"""Bytes of address space; a body that needs more is not read."""


def main() -> None:
    """Answer questions on standard input until it ends."""
    _bound_memory()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    write(sink, None)  # ready
    while (head := source.read(HEAD.size)) and len(head) == HEAD.size:
        asked, length = HEAD.unpack(head)
        question: Question = pickle.loads(source.read(asked))  # noqa: S301  # from our own pool
        write(sink, _reading(source.read(length), question))


def write(sink: BinaryIO, reading: Reading | None) -> None:
    """Send one answer."""
    answer = pickle.dumps(reading)
    sink.write(HEAD.pack(len(answer), 0) + answer)
    sink.flush()


def _reading(raw: bytes, question: Question) -> Reading | None:
    try:
        return read(raw, question)
    except MemoryError:
        return None


def _bound_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415  # not on every system

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


if __name__ == "__main__":
    main()
