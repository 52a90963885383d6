"""The decision log: selects decisions to write. Writing happens off the event loop."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace

from pointsman_server.core.decision_record import DEFAULT_RATE, DecisionView, is_error
from pointsman_server.core.model import Outcome, Reason
from pointsman_server.core.policy_file import LogRules
from pointsman_server.core.resolver import ResolutionRecord
from pointsman_server.telemetry.decision_log.entry import LogEntry, ResolutionEntry
from pointsman_server.telemetry.decision_log.sinks import build_sinks
from pointsman_server.telemetry.decision_log.writer import LineWriter

UNLOGGED = frozenset(
    {
        Reason.NO_ROUTING_CONTEXT,
        Reason.FLAG_OFF,
        Reason.MODE_OFF,
        Reason.ORGANIZATION_EXCLUDED,
    }
)
"""Nothing was to be decided: ordinary requests would drown the rest."""


class DecisionLog:
    """A `DecisionObserver`: samples usual decisions, and writes all failures and model switches."""

    def __init__(self, writer: LineWriter, *, random: Callable[[], float]) -> None:
        """`random` throws the dice: a number in [0, 1)."""
        self.writer = writer
        self._random = random
        self._rate: Callable[[], float] = _default_rate

    def sample_with(self, rate: Callable[[], float]) -> None:
        """Use `rate` as the sample rate of each decision."""
        self._rate = rate

    def write_to(self, rules: LogRules) -> None:
        """Write to where `rules` say from now on."""
        self.writer.write_to(build_sinks(rules))

    def samples(self, rate: float) -> bool:
        """Decide whether to sample a call before its decision."""
        return self._random() < rate

    def on_decision(self, view: DecisionView) -> None:
        """Write it, if it is sampled or of a kind that is always written."""
        outcome = view.outcome
        if view.dry_run or outcome.reason in UNLOGGED:
            return
        rate = self._rate()
        sampled = self._random() < rate if view.log_sampled is None else view.log_sampled
        if sampled or _always(outcome):
            record, trace_id = view.materialise(), _trace_id()
            self.writer.put(
                LogEntry(record=record, sampled=sampled, sample_rate=rate, trace_id=trace_id)
            )

    def resolved(self, record: ResolutionRecord) -> None:
        """Write `record`, if it is sampled."""
        rate = self._rate()
        if not record.dry_run and self._random() < rate:
            self.writer.put(ResolutionEntry(record=record, sample_rate=rate, trace_id=_trace_id()))

    async def aclose(self, *, bound: float) -> None:
        """Flush the queue, for `bound` seconds at most."""
        await self.writer.aclose(bound=bound)


def _default_rate() -> float:
    return DEFAULT_RATE


def _always(outcome: Outcome) -> bool:
    decision = outcome.decision
    return is_error(outcome) or (decision is not None and decision.switch_reason is not None)


def _trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
