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


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One metric; `unit` is a UCUM code, as OpenTelemetry wants it."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


DECISIONS = Instrument(
    name="pointsman.decisions",
    kind=Kind.COUNTER,
    unit="{decision}",
    description="Requests answered, dry runs excepted.",
    attributes=(a.OUTCOME, a.REASON, a.SOURCE, a.AUTO_MODEL, a.POLICY, a.AGREEMENT),
)
DECISION_DURATION = Instrument(
    name="pointsman.decision.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="From the validated request to its outcome, dry runs excepted.",
    attributes=(a.OUTCOME, a.SOURCE, a.CACHED),
)
RESOLUTIONS = Instrument(
    name="pointsman.resolutions",
    kind=Kind.COUNTER,
    unit="{resolution}",
    description="Purposes resolved to LLM configs, dry runs excepted.",
    attributes=(a.PURPOSE, a.PROFILE, a.TIER, a.OVERRIDDEN),
)
RESOLUTION_DURATION = Instrument(
    name="pointsman.resolution.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="From the validated request to its attempts, dry runs excepted.",
    attributes=(a.TIER,),
)
DRY_RUNS = Instrument(
    name="pointsman.dry_runs",
    kind=Kind.COUNTER,
    unit="{decision}",
    description="Dry runs answered.",
    attributes=(a.OUTCOME,),
)
SWITCHES = Instrument(
    name="pointsman.switches",
    kind=Kind.COUNTER,
    unit="{switch}",
    description="Conversations that left the model that they were on.",
    attributes=(a.SWITCH_REASON,),
)
CANDIDATES_DROPPED = Instrument(
    name="pointsman.candidates.dropped",
    kind=Kind.COUNTER,
    unit="{candidate}",
    description="Candidates of requests that were not decided between.",
    attributes=(a.DROPPED,),
)
ENGINE_DURATION = Instrument(
    name="pointsman.engine.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Calls of an engine; a stage is set where the call failed.",
    attributes=(a.ENGINE, a.STAGE),
)
ENGINE_FAILURES = Instrument(
    name="pointsman.engine.failures",
    kind=Kind.COUNTER,
    unit="{failure}",
    description="Times that an engine could not answer, open circuits included.",
    attributes=(a.ENGINE, a.STAGE),
)
ENGINE_IN_FLIGHT = Instrument(
    name="pointsman.engine.in_flight",
    kind=Kind.UP_DOWN,
    unit="{call}",
    description="Calls of an engine that are under way, of engines with a bound on them.",
    attributes=(a.ENGINE,),
)
ENGINE_REFUSED = Instrument(
    name="pointsman.engine.refused",
    kind=Kind.COUNTER,
    unit="{call}",
    description="Calls that were over an engine's bound and not made.",
    attributes=(a.ENGINE,),
)
CACHE_LOOKUPS = Instrument(
    name="pointsman.cache.lookups",
    kind=Kind.COUNTER,
    unit="{lookup}",
    description="Cache lookups: decisions, and current models of conversations.",
    attributes=(a.CACHE_RESULT,),
)
CACHE_WRITE_FAILURES = Instrument(
    name="pointsman.cache.write_failures",
    kind=Kind.COUNTER,
    unit="{failure}",
    description="Writes of the cache that failed.",
)
CACHE_ENTRIES = Instrument(
    name="pointsman.cache.entries",
    kind=Kind.UP_DOWN,
    unit="{entry}",
    description="Entries of the cache in this process.",
)
CACHE_SHARED_FAILURES = Instrument(
    name="pointsman.cache.shared.failures",
    kind=Kind.COUNTER,
    unit="{failure}",
    description="Commands that the shared cache did not answer.",
    attributes=(a.CACHE_STAGE,),
)
CACHE_SHARED_REACHABLE = Instrument(
    name="pointsman.cache.shared.reachable",
    kind=Kind.GAUGE,
    unit="{cache}",
    description="1 if the shared cache is in use, 0 while its circuit is open.",
)
CIRCUIT = Instrument(
    name="pointsman.circuit.state",
    kind=Kind.GAUGE,
    unit="{state}",
    description="1 for the state that an engine's circuit is in, 0 for the others.",
    attributes=(a.ENGINE, a.CIRCUIT_STATE),
)
CIRCUIT_TRANSITIONS = Instrument(
    name="pointsman.circuit.transitions",
    kind=Kind.COUNTER,
    unit="{transition}",
    description="Times that an engine's circuit entered a state.",
    attributes=(a.ENGINE, a.CIRCUIT_STATE),
)
CIRCUIT_PROBES = Instrument(
    name="pointsman.circuit.probes",
    kind=Kind.COUNTER,
    unit="{probe}",
    description="Calls that half-open circuits let through, by how they ended.",
    attributes=(a.ENGINE, a.PROBE),
)
IN_FLIGHT = Instrument(
    name="pointsman.in_flight",
    kind=Kind.UP_DOWN,
    unit="{request}",
    description="Requests being answered.",
)
LOOP_TASKS = Instrument(
    name="pointsman.loop.tasks",
    kind=Kind.UP_DOWN,
    unit="{task}",
    description="Tasks of the event loop that are not done.",
)
SHED = Instrument(
    name="pointsman.shed",
    kind=Kind.COUNTER,
    unit="{request}",
    description="Requests refused over the concurrency limit.",
)
CALLS = Instrument(
    name="pointsman.calls",
    kind=Kind.COUNTER,
    unit="{call}",
    description="Calls, and decisions of streams and batches, answered or refused, by caller.",
    attributes=(a.RPC_METHOD, a.CALLER, a.RPC_STATUS),
)
TLS_EXPIRY = Instrument(
    name="pointsman.tls.certificate.expiry",
    kind=Kind.GAUGE,
    unit="s",
    description="When the certificate in force expires, in seconds since the epoch.",
)
TLS_RELOADS = Instrument(
    name="pointsman.tls.reloads",
    kind=Kind.COUNTER,
    unit="{reload}",
    description="Changed certificates that were taken or refused.",
    attributes=(a.RELOAD_RESULT,),
)
TLS_RELOADED = Instrument(
    name="pointsman.tls.last_reload.successful",
    kind=Kind.GAUGE,
    unit="{reload}",
    description="1 if the last changed certificates were taken, 0 if they were refused.",
)
TOKENS_RELOADS = Instrument(
    name="pointsman.tokens.reloads",
    kind=Kind.COUNTER,
    unit="{reload}",
    description="Changed files of tokens that were taken or refused.",
    attributes=(a.RELOAD_RESULT,),
)
TOKENS_RELOADED = Instrument(
    name="pointsman.tokens.last_reload.successful",
    kind=Kind.GAUGE,
    unit="{reload}",
    description="1 if the last changed file of tokens was taken, 0 if it was refused.",
)
POLICY_RELOADS = Instrument(
    name="pointsman.policy.reloads",
    kind=Kind.COUNTER,
    unit="{reload}",
    description="Changed policy files that were taken or refused.",
    attributes=(a.RELOAD_RESULT,),
)
POLICY_RELOADED = Instrument(
    name="pointsman.policy.last_reload.successful",
    kind=Kind.GAUGE,
    unit="{policy}",
    description="1 if the last changed policy file was taken, 0 if it was refused.",
)
POLICY_STALE = Instrument(
    name="pointsman.policy.file.stale",
    kind=Kind.GAUGE,
    unit="{policy}",
    description="1 while the policy file on disk is not the one in force.",
)
POLICY_CHANGES = Instrument(
    name="pointsman.policy.changes",
    kind=Kind.COUNTER,
    unit="{change}",
    description="Reloads that changed a section of the policy file.",
    attributes=(a.POLICY_SECTION,),
)
POLICY_INFO = Instrument(
    name="pointsman.policy.info",
    kind=Kind.GAUGE,
    unit="{policy}",
    description="Always 1; its attributes say which policy file is in force.",
    attributes=(a.POLICY_VERSION, a.MODE),
)
BUILD_INFO = Instrument(
    name="pointsman.build.info",
    kind=Kind.GAUGE,
    unit="{build}",
    description="Always 1; its attributes identify the version.",
    attributes=(a.VERSION, a.PYTHON_VERSION),
)
LOG_LINES = Instrument(
    name="pointsman.decision_log.lines",
    kind=Kind.COUNTER,
    unit="{line}",
    description="Lines of the decision log that were written.",
)
LOG_DROPPED = Instrument(
    name="pointsman.decision_log.dropped",
    kind=Kind.COUNTER,
    unit="{line}",
    description="Lines of the decision log that were lost.",
    attributes=(a.LOSS,),
)
EXPORT_FAILURES = Instrument(
    name="pointsman.export.failures",
    kind=Kind.COUNTER,
    unit="{batch}",
    description="Batches that a collector did not take.",
    attributes=(a.SIGNAL,),
)
SPANS_DROPPED = Instrument(
    name="pointsman.export.dropped",
    kind=Kind.COUNTER,
    unit="{span}",
    description="Spans that found the queue full.",
)
