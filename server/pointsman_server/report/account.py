"""Everything that is remembered of the log, in one pass and bounded memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pointsman_server.core.model import Mode, Verdict
from pointsman_server.report.fields import Unreadable
from pointsman_server.report.files import lines
from pointsman_server.report.line import DecisionLine, parse
from pointsman_server.report.prices import Prices
from pointsman_server.report.sums import Sums
from pointsman_server.report.tally import Tally

MOST_TIERS: Final = 1_000
"""As many as a policy file may have; lines of further ones are added up together."""
FURTHER: Final = "(further tiers)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """The location of an unreadable line and the reason, without its content."""

    file: str
    line: int
    why: str


class Account:
    """Adds up files, one after the other."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self.files = 0
        self.lines = 0
        self.decisions = 0
        self.other_events = 0
        self.off = 0
        """Lines of requests with nothing to decide."""
        self.unreadable = 0
        self.first_unreadable: BadLine | None = None
        self.since: datetime | None = None
        self.until: datetime | None = None
        self.versions: Tally[str] = Tally()
        self.modes: Tally[str] = Tally()
        self.sums: dict[Mode, dict[str, Sums]] = {}

    def read(self, name: str, stream: io.BufferedReader) -> None:
        """Read a file to its end. Raises `OSError`."""
        self.files += 1
        for at, raw in enumerate(lines(stream), start=1):
            if isinstance(raw, bytes) and raw.isspace():
                continue
            self.lines += 1
            try:
                if isinstance(raw, Unreadable):
                    raise raw
                line = parse(raw)
            except Unreadable as error:
                self.unreadable += 1
                bad = BadLine(file=name, line=at, why=str(error))
                self.first_unreadable = self.first_unreadable or bad
                continue
            if line is None:
                self.other_events += 1
            else:
                self._add(line)

    def _add(self, line: DecisionLine) -> None:
        self.decisions += 1
        self.since = min(self.since or line.time, line.time)
        self.until = max(self.until or line.time, line.time)
        self.versions.add(line.policy_version)
        self.modes.add(line.mode)
        if line.mode is Mode.OFF or line.verdict is Verdict.OFF:
            self.off += 1
            return
        tiers = self.sums.setdefault(line.mode, {})
        tier = line.tier if line.tier in tiers or len(tiers) < MOST_TIERS else FURTHER
        cost = self._prices.of(line) if line.weight else ()
        tiers.setdefault(tier, Sums()).add(line, cost)
