"""Switches with a memory: read at most once a minute, closed when unreadable."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from pointsman_server.core.decision_record import effective_rate
from pointsman_server.core.model import SwitchValues
from pointsman_server.core.ports import Clock, SwitchSource

MORPH_ROUTER_ENABLED = "morph_router_enabled"
DECISION_MODEL_ENABLED = "decision_model_enabled"
DECISION_LOG_SAMPLE_RATE = "decision_log_sample_rate"
ON, OFF = "true", "false"

_SWITCHES = frozenset({MORPH_ROUTER_ENABLED, DECISION_MODEL_ENABLED})
_NO_WORD = "flag is neither `true` nor `false`, and counts as off: {}: set it to one of them"
_WARN_EVERY = 60.0
_log = logging.getLogger(__name__)


class _Reading(NamedTuple):
    """A switch's text, and until when (monotonic) it is good: one that failed never is."""

    text: str | None
    good_until: float

    @property
    def is_on(self) -> bool:
        """Whether the text turns a switch on."""
        return self.text is not None and self.text.strip() == ON


class RememberedSwitches:
    """A good reading is remembered for `memory` seconds; a failed one is not remembered."""

    def __init__(self, source: SwitchSource, *, clock: Clock, memory: float) -> None:
        self.source = source
        self._clock = clock
        self._memory = memory
        self._readings: dict[str, _Reading] = {}
        self._warned: dict[str, float] = {}
        self.sample_rate = effective_rate(None)
        """The share of decisions that the decision log keeps, as last read."""
        self._values = SwitchValues()
        self._good_until = 0.0

    async def current(self) -> SwitchValues:
        """The current values. A switch is on if and only if its trimmed text is exactly `true`."""
        remembered = self.remembered()
        if remembered is not None:
            return remembered
        morph = await self._read(MORPH_ROUTER_ENABLED)
        decision_model = await self._read(DECISION_MODEL_ENABLED)
        rate = await self._read(DECISION_LOG_SAMPLE_RATE)
        values = SwitchValues(
            morph_router_enabled=morph.is_on, decision_model_enabled=decision_model.is_on
        )
        good_until = min(morph.good_until, decision_model.good_until, rate.good_until)
        # Another call may have read something newer in the meantime, which then holds.
        if self.remembered() is None or good_until >= self._good_until:
            self._values, self._good_until = values, good_until
            self.sample_rate = effective_rate(rate.text)
        return values

    def remembered(self) -> SwitchValues | None:
        """The current values, if no source must be read."""
        return self._values if self._clock.monotonic() < self._good_until else None

    async def _read(self, name: str) -> _Reading:
        now = self._clock.monotonic()
        reading = self._readings.get(name)
        if reading is not None and now < reading.good_until:
            return reading
        try:
            text = await self.source.read(name)
        except Exception as error:  # noqa: BLE001  (whatever a source raises: closed)
            self._readings.pop(name, None)
            event = "auto_routing_config_read_failed"
            said = {"event": event, "key": name, "error": type(error).__name__}
            self._warn(event, name=name, now=now, extra=said)
            return _Reading(None, 0.0)
        if name in _SWITCHES and text is not None and text.strip() not in {ON, OFF, ""}:
            self._warn(_NO_WORD.format(name), name=name, now=now)
        reading = self._readings[name] = _Reading(text, now + self._memory)
        return reading

    def _warn(
        self, message: str, *, name: str, now: float, extra: Mapping[str, str] | None = None
    ) -> None:
        if now - self._warned.get(name, -_WARN_EVERY) < _WARN_EVERY:
            return
        self._warned[name] = now
        _log.warning(message, extra=extra)
