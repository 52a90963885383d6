"""Catalog axes: each model's strength at routine and at heavy work, and the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.scalars import calendar_date, number, phrase

Figure = Annotated[float, number(0, 4_000)]
Unit = Literal["share", "elo"]
HeavyAxis = Literal["coding", "knowledge", "instructions", "general"]
Axis = Literal["routine", "coding", "knowledge", "instructions", "general"]

ELO_ORIGIN = 1_000.0
"""The rating at which Arena starts a model; an Elo figure counts as the share of wins over it."""
_ELO_SCALE = 400.0


class BenchmarkSection(Section):
    """The one benchmark that all figures of an axis come from."""

    name: Annotated[str, phrase(128)]
    """The benchmark, with its version or subset."""
    unit: Unit = "share"
    """`share`: the share of right answers, 0 to 1. `elo`: a rating; it counts as the share of wins
    over a model rated 1,000."""
    source: Annotated[str, phrase(512)]
    """The publication of the figures."""
    date: Annotated[str, calendar_date()]
    """When they were read, as `2026-10-01`."""


class AxesSection(Section):
    """One model's figures on the axes that engine `local` weighs effort against."""

    routine: Figure | None = None
    """Its result at routine work, in the unit of `benchmarks.routine`."""
    heavy: dict[HeavyAxis, Figure] = Field(default_factory=dict)
    """Its results at heavy work, by axis, in the unit of the axis's benchmark: `coding` (counts
    for coding, data and design), `knowledge` (general requests), `instructions` (summaries),
    `general` (where no candidate has the former).
    """

    def routine_share(self, units: Mapping[str, Unit]) -> float | None:
        """Give the routine figure as a share, 0..1."""
        return None if self.routine is None else _share(self.routine, "routine", units)

    def heavy_shares(self, units: Mapping[str, Unit]) -> dict[str, float]:
        """Give the heavy figures as shares, 0..1, by axis; those left out are absent."""
        return {str(axis): _share(figure, axis, units) for axis, figure in self.heavy.items()}


def _share(figure: float, axis: str, units: Mapping[str, Unit]) -> float:
    return as_share(figure, unit=units.get(axis, "share"))


def as_share(figure: float, *, unit: Unit) -> float:
    """Turn a figure into a share, 0..1."""
    if unit == "share":
        return figure
    return float(1.0 / (1.0 + 10.0 ** ((ELO_ORIGIN - figure) / _ELO_SCALE)))
