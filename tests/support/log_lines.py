"""Lines of the decision log as the service writes them, and accounts of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import CatalogModel, Source
from pointsman_server.report.account import Account
from pointsman_server.report.estimate import report
from pointsman_server.report.figures import Report
from pointsman_server.report.prices import Assumptions, Prices
from pointsman_server.telemetry.decision_log.entry import LogEntry, encode_line

from support.records import OPUS, routed

HAIKU = "anthropic/claude-haiku-4.5"
PRICES: Mapping[str, tuple[float, float]] = {OPUS: (5.0, 25.0), HAIKU: (1.0, 5.0)}
CATALOG = {
    name: CatalogModel(public_id=name, input_price=i, output_price=o)
    for name, (i, o) in PRICES.items()
}


def raw(record: DecisionRecord, *, sampled: bool = True, rate: float = 1.0) -> bytes:
    """The line of a record."""
    entry = LogEntry(record=record, sampled=sampled, sample_rate=rate, trace_id=None)
    return encode_line(entry)


def decided(
    model: str = HAIKU,
    *,
    conversation: int = 0,
    source: Source = Source.LOCAL,
    cached: bool = False,
    outcome: Mapping[str, Any] | None = None,
    **changes: Any,
) -> DecisionRecord:
    """A routed record for `model`; the static pick is Opus unless `changes` say otherwise."""
    record = routed()
    decision = record.outcome.decision
    assert decision is not None
    answer = replace(decision.answer, model=model, source=source, cached=cached)
    ended = replace(record.outcome, decision=replace(decision, answer=answer), **outcome or {})
    fields: dict[str, Any] = {"outcome": ended, "session_hash": f"{conversation:032x}"}
    fields |= changes
    if "agreement" not in fields and "static_pick" not in fields:
        fields["agreement"] = model == OPUS
    return replace(record, **fields)


def account_of(*files: Iterable[bytes], assumed: Assumptions | None = None) -> Account:
    """What files of these lines add up to."""
    account = Account(Prices(CATALOG, assumed=assumed or Assumptions()))
    for at, lines in enumerate(files):
        account.read(f"file-{at}", io.BufferedReader(io.BytesIO(b"".join(lines))))  # type: ignore[arg-type]
    return account


def report_of(*files: Iterable[bytes], assumed: Assumptions | None = None) -> Report:
    """The figures of files of these lines."""
    assumed = assumed or Assumptions()
    return report(account_of(*files, assumed=assumed), assumed=assumed, prices_of="p" * 16)
