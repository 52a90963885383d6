"""Anchors: each candidate's results at routine and heavy work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import mul
from typing import Final

from pointsman_server.core.anchored_quality import UNKNOWN_ROUTINE, logit, low_figure, mixed_quality
from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import CatalogModel
from pointsman_server.lib.bounded_map import BoundedMap

FEWEST_MEASURED: Final = 2
"""Candidates with figures that the effort rule needs; with fewer it has nothing to compare."""

HEAVY_ORDER: Final = {
    "coding": ("coding", "general", "knowledge", "instructions"),
    "data": ("coding", "general", "knowledge", "instructions"),
    "design": ("coding", "knowledge", "general", "instructions"),
    "summary": ("instructions", "general", "knowledge", "coding"),
    "general": ("knowledge", "general", "instructions", "coding"),
}
"""Domain of a request -> the heavy axes that may speak for it, best first."""

_MOST_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One candidate's two anchors. Figures are shares 0..1."""

    routine: float
    heavy: tuple[float, ...]
    """By domain, in the order of `DOMAINS`."""
    missing: tuple[tuple[str, ...], ...]
    """By domain: the axes that count there and have no figure for this candidate."""
    routine_logit: float
    heavy_logits: tuple[float, ...]
    """The figures as log odds."""

    def quality(self, *, domains: Iterable[float], weight: float) -> float:
        """Expected success, 0..1, on work that is `weight` (0..1) of the way to heavy.

        `domains` are the probabilities of `DOMAINS`.
        """
        heavy = sum(map(mul, domains, self.heavy_logits))
        return mixed_quality(routine_logit=self.routine_logit, heavy_logit=heavy, weight=weight)

    def heavy_share(self, domains: Iterable[float]) -> float:
        """The heavy figure, 0..1, of a request between domains, as `quality` mixes it."""
        return self.quality(domains=domains, weight=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAnchors:
    """The anchors of one request's candidates, in their order."""

    candidates: tuple[CatalogModel, ...]
    anchors: tuple[Anchor, ...]
    by_id: Mapping[str, Anchor]
    """By public id."""


class AnchorBook:
    """Anchors of candidate lists, worked out once for each list."""

    def __init__(self) -> None:
        self._kept: BoundedMap[tuple[int, ...], PoolAnchors] = BoundedMap(_MOST_KEPT)

    def pool(self, candidates: tuple[CatalogModel, ...]) -> PoolAnchors:
        """Give the anchors of `candidates`."""
        # Identities are safe keys: a cached entry holds references to its models.
        key = tuple(map(id, candidates))
        return self._kept.get(key) or self._kept.remember(key, pool_anchors(candidates))


def measured(candidates: Iterable[CatalogModel]) -> bool:
    """Tell whether enough candidates have figures on some axis for the effort rule."""
    return sum(model.has_axes for model in candidates) >= FEWEST_MEASURED


def pool_anchors(candidates: tuple[CatalogModel, ...]) -> PoolAnchors:
    """Work out each candidate's anchors; a missing figure counts low among the others'."""
    routine, no_routine = _filled(candidates, lambda model: model.routine)
    axes = [_axis(candidates, order=HEAVY_ORDER[domain]) for domain in DOMAINS]
    heavy = [
        # Without any heavy figure, routine figures are all that sets candidates apart.
        (routine, [False] * len(candidates))
        if axis is None
        else _filled(candidates, lambda model, axis=axis: model.heavy.get(axis))  # type: ignore[misc]
        for axis in axes
    ]
    anchors = tuple(
        Anchor(
            routine=routine[at],
            heavy=tuple(shares[at] for shares, _ in heavy),
            routine_logit=logit(routine[at]),
            heavy_logits=tuple(logit(shares[at]) for shares, _ in heavy),
            missing=tuple(
                (("routine",) if no_routine[at] else ())
                + ((f"heavy {axis}",) if axis is not None and gaps[at] else ())
                for axis, (_, gaps) in zip(axes, heavy, strict=True)
            ),
        )
        for at in range(len(candidates))
    )
    by_id = {model.public_id: anchor for model, anchor in zip(candidates, anchors, strict=True)}
    return PoolAnchors(candidates=candidates, anchors=anchors, by_id=by_id)


def _axis(candidates: tuple[CatalogModel, ...], *, order: tuple[str, ...]) -> str | None:
    for axis in order:
        if any(axis in model.heavy for model in candidates):
            return axis
    return None


def _filled(
    candidates: tuple[CatalogModel, ...], figure: Callable[[CatalogModel], float | None]
) -> tuple[list[float], list[bool]]:
    """Give the figures, gaps filled, and where the gaps are."""
    given = [figure(model) for model in candidates]
    known = [share for share in given if share is not None]
    if not known:
        return [UNKNOWN_ROUTINE] * len(given), [False] * len(given)
    low = low_figure(known)
    return [low if share is None else share for share in given], [s is None for s in given]
