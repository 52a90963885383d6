"""An instrument: the name, unit, description and attributes of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


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


def counter(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    """A counter."""
    return Instrument(name, Kind.COUNTER, unit, description, attributes)


def up_down(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    """A sum that grows and shrinks."""
    return Instrument(name, Kind.UP_DOWN, unit, description, attributes)


def gauge(name: str, unit: str, description: str, *attributes: str) -> Instrument:
    """A gauge."""
    return Instrument(name, Kind.GAUGE, unit, description, attributes)


def histogram(name: str, description: str, *attributes: str) -> Instrument:
    """A histogram of seconds."""
    return Instrument(name, Kind.HISTOGRAM, "s", description, attributes)
