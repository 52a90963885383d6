"""A circuit breaker: an engine's outage costs microseconds, not its timeout a call."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Protocol

from pointsman_server.core.engine_rules import BreakerRules
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.ports import Clock, DecisionEngine
from pointsman_server.lib.circuit_breaker import Circuit, CircuitBreaker

CIRCUIT_OPEN = "circuit_open"
_NOT_CALLED = frozenset({"unexpected_error"})
CUT_OFF = "deadline"
"""The failure stage of a call that the caller's deadline ended."""


class Probe(StrEnum):
    """The result of the call through a half-open circuit."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """It said nothing about the engine: cancelled, or no key to call it with."""


class CircuitMeter(Protocol):
    """Observer of circuit events."""

    def circuit_entered(self, engine: str, state: str) -> None:
        """It is in another state from now on."""
        ...

    def probed(self, engine: str, result: str) -> None:
        """A probe ended."""
        ...


class Breaker:
    """Opens after consecutive failures and lets one probe through after a pause."""

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        name: str,
        rules: BreakerRules,
        clock: Clock,
        meter: CircuitMeter,
    ) -> None:
        self._delegate = delegate
        self._name = name
        self._rules = rules
        self._meter = meter
        self._now = clock.monotonic
        self._circuit = CircuitBreaker(
            failures=rules.failures, pause=rules.pause, now=clock.monotonic
        )
        self.probing = False

    @property
    def state(self) -> Circuit:
        """The state that the next call meets."""
        return self._circuit.state

    @property
    def consecutive_failures(self) -> int:
        """Failures since the last answer."""
        return self._circuit.consecutive_failures

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The delegate's answer, or `circuit_open` at once."""
        state = self.state
        if state is Circuit.OPEN or (state is Circuit.HALF_OPEN and self.probing):
            raise EngineFailed(EngineFailure(engine=self._name, stage=CIRCUIT_OPEN))
        probes = state is Circuit.HALF_OPEN
        if probes:
            self.probing = True
            self._meter.circuit_entered(self._name, Circuit.HALF_OPEN)
        result = Probe.UNDECIDED
        started = self._now()
        try:
            answer = await self._delegate.decide(query)
        except asyncio.CancelledError:
            # Every caller stopped waiting, most of them because their deadlines came near.
            if self._now() - started >= self._rules.slow:
                result = Probe.FAILED
                self._failed(probes=probes)
            raise
        except EngineFailed as error:
            if self._counts(error):
                result = Probe.FAILED
                self._failed(probes=probes)
            elif probes and error.failure.stage == CUT_OFF:
                # Nothing was learned, and time was lost: rest instead of probing with every call.
                self._open()
            raise
        else:
            result = Probe.ANSWERED
            self._answered()
            return answer
        finally:
            if probes:
                self.probing = False
                self._meter.probed(self._name, result)

    def _counts(self, error: EngineFailed) -> bool:
        """Whether the engine is to blame: not for a missing key or an impatient caller."""
        if error.failure.stage == CUT_OFF:
            return error.elapsed >= self._rules.slow
        return error.failure.stage not in _NOT_CALLED

    def _failed(self, *, probes: bool) -> None:
        if self._circuit.failed():
            self._meter.circuit_entered(self._name, Circuit.OPEN)
        elif probes:
            self._open()

    def _open(self) -> None:
        self._circuit.open()
        self._meter.circuit_entered(self._name, Circuit.OPEN)

    def _answered(self) -> None:
        if self._circuit.succeeded():
            self._meter.circuit_entered(self._name, Circuit.CLOSED)
