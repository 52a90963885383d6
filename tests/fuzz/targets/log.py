"""A decision log: a report that a terminal can show, or lines that are counted as unreadable."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

from pointsman_server.report.account import Account
from pointsman_server.report.as_json import as_json
from pointsman_server.report.estimate import report
from pointsman_server.report.prices import Assumptions, Prices
from pointsman_server.report.text import WIDTH, rendered
from support.log_lines import CATALOG, decided, raw
from support.records import failed, fell_back, skipped, switched

from fuzz.targets.target import Target, plain

ASSUMED = Assumptions()


def read(data: bytes) -> None:
    account = Account(Prices(CATALOG, assumed=ASSUMED))
    account.read("log", io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    assert account.lines == account.decisions + account.other_events + account.unreadable
    figures = report(account, assumed=ASSUMED, prices_of="0" * 16)
    for line in rendered(figures).splitlines():
        assert len(line) <= WIDTH, line
        assert line.isprintable(), line
    assert as_json(figures).isascii()


def seeds() -> Iterator[bytes]:
    every = [decided(), switched(), fell_back(), failed(), skipped()]
    yield from (raw(record, rate=0.5) for record in every)
    yield b"".join(map(raw, every))
    yield gzip.compress(b"".join(map(raw, every)) + b'{"event": "another"}\n')


TARGET = Target(opened=plain(read), seeds=seeds, longest=8_192)
