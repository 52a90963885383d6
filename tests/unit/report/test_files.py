from __future__ import annotations

import gzip
import io
import random

import pytest
from pointsman_server.report.fields import Unreadable
from pointsman_server.report.files import LONGEST_LINE, lines

LINES = [b"one\n", b"\n", b"three\n", b"the last, without an end"]
NOISE = random.Random(1).randbytes(20_000).hex().encode()


def read(content: bytes) -> list[bytes | str]:
    stream = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
    return [str(line) if isinstance(line, Unreadable) else line for line in lines(stream)]


@pytest.mark.parametrize("content", [b"", b"\x1f", b"a"])
def test_short_files_are_read(content: bytes) -> None:
    assert b"".join(line for line in read(content) if isinstance(line, bytes)) == content


def test_lines_are_read_as_they_are_compressed_or_not() -> None:
    assert read(b"".join(LINES)) == LINES
    assert read(gzip.compress(b"".join(LINES))) == LINES
    assert read(gzip.compress(b"".join(LINES[:3])) + gzip.compress(LINES[3])) == LINES


def test_a_line_without_end_is_passed_over_in_pieces_and_the_next_one_is_read() -> None:
    endless = b"x" * (3 * LONGEST_LINE + 17)
    assert read(b"a\n" + endless + b"\nb\n") == [b"a\n", "too long", b"b\n"]
    assert read(endless) == ["too long"]


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-9000], lambda c: c[:5000] + b"\0" * 99 + c[5099:]]
)
def test_of_damaged_compressed_data_what_came_before_counts_and_the_rest_is_told(damage) -> None:
    first = b"".join(b"%d\n" % n for n in range(1_000))
    told = read(damage(gzip.compress(first + NOISE + b"\n" + NOISE)))
    assert told[0] == b"0\n"
    assert told[-1] == "compressed data that is damaged or cut off"
    assert all(isinstance(line, bytes) for line in told[:-1])
