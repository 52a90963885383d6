"""The metrics of Pointsman: names, units, attributes. `docs/metrics.md` says how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pointsman_server.telemetry import attributes as a

CIRCUIT_STATES: Final = ("closed", "open", "half_open")

DURATION_BOUNDS: Final = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Seconds: from a cached answer's tenths of a millisecond to past an engine's time-out."""


class Kind(Enum):
    """The aggregation of an instrument."""

    COUNTER = auto()
    """Only grows."""
    UP_DOWN = auto()
    """Grows and shrinks; adds up over processes."""
    GAUGE = auto()
    """A state; does not add up."""
    HISTOGRAM = auto()
    """Counts of durations within each bound of `DURATION_BOUNDS`."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric; `unit` is a UCUM code, as OpenTelemetry wants it."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


def _counter(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.COUNTER, unit, description, attributes)


def _up_down(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.UP_DOWN, unit, description, attributes)


def _gauge(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.GAUGE, unit, description, attributes)


def _histogram(name: str, description: str, *attributes: str) -> Instrument:
    return Instrument(name, Kind.HISTOGRAM, "s", description, attributes)


DECISIONS = _counter(
    "pointsman.decisions",
    "{decision}",
    "Requests answered, dry runs excepted.",
    a.OUTCOME,
    a.REASON,
    a.SOURCE,
    a.AUTO_MODEL,
    a.POLICY,
    a.AGREEMENT,
)
DECISION_DURATION = _histogram(
    "pointsman.decision.duration",
    "From the validated request to its outcome, dry runs excepted.",
    a.OUTCOME,
    a.SOURCE,
    a.CACHED,
)
RESOLUTIONS = _counter(
    "pointsman.resolutions",
    "{resolution}",
    "Purposes resolved to LLM configs, dry runs excepted.",
    a.PURPOSE,
    a.PROFILE,
    a.TIER,
    a.OVERRIDDEN,
)
RESOLUTION_DURATION = _histogram(
    "pointsman.resolution.duration",
    "From the validated request to its attempts, dry runs excepted.",
    a.TIER,
)
DRY_RUNS = _counter("pointsman.dry_runs", "{decision}", "Dry runs answered.", a.OUTCOME)
SWITCHES = _counter(
    "pointsman.switches",
    "{switch}",
    "Conversations that left the model that they were on.",
    a.SWITCH_REASON,
)
CANDIDATES_DROPPED = _counter(
    "pointsman.candidates.dropped",
    "{candidate}",
    "Candidates of requests that were not decided between.",
    a.DROPPED,
)
ENGINE_DURATION = _histogram(
    "pointsman.engine.duration",
    "Calls of an engine; a stage is set where the call failed.",
    a.ENGINE,
    a.STAGE,
)
ENGINE_FAILURES = _counter(
    "pointsman.engine.failures",
    "{failure}",
    "Times that an engine could not answer, open circuits included.",
    a.ENGINE,
    a.STAGE,
)
ENGINE_IN_FLIGHT = _up_down(
    "pointsman.engine.in_flight",
    "{call}",
    "Calls of an engine that are under way, of engines with a bound on them.",
    a.ENGINE,
)
ENGINE_REFUSED = _counter(
    "pointsman.engine.refused",
    "{call}",
    "Calls that were over an engine's bound and not made.",
    a.ENGINE,
)
CACHE_LOOKUPS = _counter(
    "pointsman.cache.lookups",
    "{lookup}",
    "Cache lookups: decisions, and current models of conversations.",
    a.CACHE_RESULT,
)
CACHE_WRITE_FAILURES = _counter(
    "pointsman.cache.write_failures", "{failure}", "Writes of the cache that failed."
)
CACHE_ENTRIES = _up_down(
    "pointsman.cache.entries", "{entry}", "Entries of the cache in this process."
)
CACHE_SHARED_FAILURES = _counter(
    "pointsman.cache.shared.failures",
    "{failure}",
    "Commands that the shared cache did not answer.",
    a.CACHE_STAGE,
)
CACHE_SHARED_REACHABLE = _gauge(
    "pointsman.cache.shared.reachable",
    "{cache}",
    "1 if the shared cache is in use, 0 while its circuit is open.",
)
CIRCUIT = _gauge(
    "pointsman.circuit.state",
    "{state}",
    "1 for the state that an engine's circuit is in, 0 for the others.",
    a.ENGINE,
    a.CIRCUIT_STATE,
)
CIRCUIT_TRANSITIONS = _counter(
    "pointsman.circuit.transitions",
    "{transition}",
    "Times that an engine's circuit entered a state.",
    a.ENGINE,
    a.CIRCUIT_STATE,
)
CIRCUIT_PROBES = _counter(
    "pointsman.circuit.probes",
    "{probe}",
    "Calls that half-open circuits let through, by how they ended.",
    a.ENGINE,
    a.PROBE,
)
IN_FLIGHT = _up_down("pointsman.in_flight", "{request}", "Requests being answered.")
LOOP_TASKS = _up_down(
    "pointsman.loop.tasks", "{task}", "Tasks of the event loop that are not done."
)
SHED = _counter("pointsman.shed", "{request}", "Requests refused over the concurrency limit.")
CALLS = _counter(
    "pointsman.calls",
    "{call}",
    "Calls, and decisions of streams and batches, answered or refused, by caller.",
    a.RPC_METHOD,
    a.CALLER,
    a.RPC_STATUS,
)
TLS_EXPIRY = _gauge(
    "pointsman.tls.certificate.expiry",
    "s",
    "When the certificate in force expires, in seconds since the epoch.",
)
TLS_RELOADS = _counter(
    "pointsman.tls.reloads",
    "{reload}",
    "Changed certificates that were taken or refused.",
    a.RELOAD_RESULT,
)
TLS_RELOADED = _gauge(
    "pointsman.tls.last_reload.successful",
    "{reload}",
    "1 if the last changed certificates were taken, 0 if they were refused.",
)
TOKENS_RELOADS = _counter(
    "pointsman.tokens.reloads",
    "{reload}",
    "Changed files of tokens that were taken or refused.",
    a.RELOAD_RESULT,
)
TOKENS_RELOADED = _gauge(
    "pointsman.tokens.last_reload.successful",
    "{reload}",
    "1 if the last changed file of tokens was taken, 0 if it was refused.",
)
POLICY_RELOADS = _counter(
    "pointsman.policy.reloads",
    "{reload}",
    "Changed policy files that were taken or refused.",
    a.RELOAD_RESULT,
)
POLICY_RELOADED = _gauge(
    "pointsman.policy.last_reload.successful",
    "{policy}",
    "1 if the last changed policy file was taken, 0 if it was refused.",
)
POLICY_STALE = _gauge(
    "pointsman.policy.file.stale",
    "{policy}",
    "1 while the policy file on disk is not the one in force.",
)
POLICY_CHANGES = _counter(
    "pointsman.policy.changes",
    "{change}",
    "Reloads that changed a section of the policy file.",
    a.POLICY_SECTION,
)
POLICY_INFO = _gauge(
    "pointsman.policy.info",
    "{policy}",
    "Always 1; its attributes say which policy file is in force.",
    a.POLICY_VERSION,
    a.MODE,
)
BUILD_INFO = _gauge(
    "pointsman.build.info",
    "{build}",
    "Always 1; its attributes identify the version.",
    a.VERSION,
    a.PYTHON_VERSION,
)
LOG_LINES = _counter(
    "pointsman.decision_log.lines", "{line}", "Lines of the decision log that were written."
)
LOG_DROPPED = _counter(
    "pointsman.decision_log.dropped", "{line}", "Lines of the decision log that were lost.", a.LOSS
)
EXPORT_FAILURES = _counter(
    "pointsman.export.failures", "{batch}", "Batches that a collector did not take.", a.SIGNAL
)
SPANS_DROPPED = _counter("pointsman.export.dropped", "{span}", "Spans that found the queue full.")
