"""The metrics of Pointsman: names, units, attributes. `docs/metrics.md` says how to read them."""

from __future__ import annotations

from typing import Final

from pointsman_server.telemetry import attributes as a
from pointsman_server.telemetry.metrics.instrument import counter, gauge, histogram, up_down

CIRCUIT_STATES: Final = ("closed", "open", "half_open")

DURATION_BOUNDS: Final = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Seconds: from a cached answer's tenths of a millisecond to past an engine's time-out."""


DECISIONS = counter(
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
DECISION_DURATION = histogram(
    "pointsman.decision.duration",
    "From the validated request to its outcome, dry runs excepted.",
    a.OUTCOME,
    a.SOURCE,
    a.CACHED,
)
RESOLUTIONS = counter(
    "pointsman.resolutions",
    "{resolution}",
    "Purposes resolved to LLM configs, dry runs excepted.",
    a.PURPOSE,
    a.PROFILE,
    a.TIER,
    a.OVERRIDDEN,
)
RESOLUTION_DURATION = histogram(
    "pointsman.resolution.duration",
    "From the validated request to its attempts, dry runs excepted.",
    a.TIER,
)
DRY_RUNS = counter("pointsman.dry_runs", "{decision}", "Dry runs answered.", a.OUTCOME)
SWITCHES = counter(
    "pointsman.switches",
    "{switch}",
    "Conversations that left the model that they were on.",
    a.SWITCH_REASON,
)
CANDIDATES_DROPPED = counter(
    "pointsman.candidates.dropped",
    "{candidate}",
    "Candidates of requests that were not decided between.",
    a.DROPPED,
)
ENGINE_DURATION = histogram(
    "pointsman.engine.duration",
    "Calls of an engine; a stage is set where the call failed.",
    a.ENGINE,
    a.STAGE,
)
ENGINE_FAILURES = counter(
    "pointsman.engine.failures",
    "{failure}",
    "Times that an engine could not answer, open circuits included.",
    a.ENGINE,
    a.STAGE,
)
ENGINE_IN_FLIGHT = up_down(
    "pointsman.engine.in_flight",
    "{call}",
    "Calls of an engine that are under way, of engines with a bound on them.",
    a.ENGINE,
)
ENGINE_REFUSED = counter(
    "pointsman.engine.refused",
    "{call}",
    "Calls that were over an engine's bound and not made.",
    a.ENGINE,
)
CACHE_LOOKUPS = counter(
    "pointsman.cache.lookups",
    "{lookup}",
    "Cache lookups: decisions, and current models of conversations.",
    a.CACHE_RESULT,
)
CACHE_WRITE_FAILURES = counter(
    "pointsman.cache.write_failures", "{failure}", "Writes of the cache that failed."
)
CACHE_ENTRIES = up_down(
    "pointsman.cache.entries", "{entry}", "Entries of the cache in this process."
)
CACHE_SHARED_FAILURES = counter(
    "pointsman.cache.shared.failures",
    "{failure}",
    "Commands that the shared cache did not answer.",
    a.CACHE_STAGE,
)
CACHE_SHARED_REACHABLE = gauge(
    "pointsman.cache.shared.reachable",
    "{cache}",
    "1 if the shared cache is in use, 0 while its circuit is open.",
)
CIRCUIT = gauge(
    "pointsman.circuit.state",
    "{state}",
    "1 for the state that an engine's circuit is in, 0 for the others.",
    a.ENGINE,
    a.CIRCUIT_STATE,
)
CIRCUIT_TRANSITIONS = counter(
    "pointsman.circuit.transitions",
    "{transition}",
    "Times that an engine's circuit entered a state.",
    a.ENGINE,
    a.CIRCUIT_STATE,
)
CIRCUIT_PROBES = counter(
    "pointsman.circuit.probes",
    "{probe}",
    "Calls that half-open circuits let through, by how they ended.",
    a.ENGINE,
    a.PROBE,
)
IN_FLIGHT = up_down("pointsman.in_flight", "{request}", "Requests being answered.")
LOOP_TASKS = up_down("pointsman.loop.tasks", "{task}", "Tasks of the event loop that are not done.")
SHED = counter("pointsman.shed", "{request}", "Requests refused over the concurrency limit.")
CALLS = counter(
    "pointsman.calls",
    "{call}",
    "Calls, and decisions of streams and batches, answered or refused, by caller.",
    a.RPC_METHOD,
    a.CALLER,
    a.RPC_STATUS,
)
TLS_EXPIRY = gauge(
    "pointsman.tls.certificate.expiry",
    "s",
    "When the certificate in force expires, in seconds since the epoch.",
)
TLS_RELOADS = counter(
    "pointsman.tls.reloads",
    "{reload}",
    "Changed certificates that were taken or refused.",
    a.RELOAD_RESULT,
)
TLS_RELOADED = gauge(
    "pointsman.tls.last_reload.successful",
    "{reload}",
    "1 if the last changed certificates were taken, 0 if they were refused.",
)
TOKENS_RELOADS = counter(
    "pointsman.tokens.reloads",
    "{reload}",
    "Changed files of tokens that were taken or refused.",
    a.RELOAD_RESULT,
)
TOKENS_RELOADED = gauge(
    "pointsman.tokens.last_reload.successful",
    "{reload}",
    "1 if the last changed file of tokens was taken, 0 if it was refused.",
)
POLICY_RELOADS = counter(
    "pointsman.policy.reloads",
    "{reload}",
    "Changed policy files that were taken or refused.",
    a.RELOAD_RESULT,
)
POLICY_RELOADED = gauge(
    "pointsman.policy.last_reload.successful",
    "{policy}",
    "1 if the last changed policy file was taken, 0 if it was refused.",
)
POLICY_STALE = gauge(
    "pointsman.policy.file.stale",
    "{policy}",
    "1 while the policy file on disk is not the one in force.",
)
POLICY_CHANGES = counter(
    "pointsman.policy.changes",
    "{change}",
    "Reloads that changed a section of the policy file.",
    a.POLICY_SECTION,
)
POLICY_INFO = gauge(
    "pointsman.policy.info",
    "{policy}",
    "Always 1; its attributes say which policy file is in force.",
    a.POLICY_VERSION,
    a.MODE,
)
BUILD_INFO = gauge(
    "pointsman.build.info",
    "{build}",
    "Always 1; its attributes identify the version.",
    a.VERSION,
    a.PYTHON_VERSION,
)
LOG_LINES = counter(
    "pointsman.decision_log.lines", "{line}", "Lines of the decision log that were written."
)
LOG_DROPPED = counter(
    "pointsman.decision_log.dropped", "{line}", "Lines of the decision log that were lost.", a.LOSS
)
EXPORT_FAILURES = counter(
    "pointsman.export.failures", "{batch}", "Batches that a collector did not take.", a.SIGNAL
)
SPANS_DROPPED = counter("pointsman.export.dropped", "{span}", "Spans that found the queue full.")
