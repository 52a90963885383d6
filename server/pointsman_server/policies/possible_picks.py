"""The picks that engine `local` can make among a tier's candidates, over all requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pointsman_server.core.anchored_quality import (
    UNKNOWN_ROUTINE,
    effort_bound,
    effort_weight,
    logit,
    low_figure,
    mixed_quality,
)
from pointsman_server.core.model import HEAVY_AXES, CatalogModel

BY_TOPIC = "domain_skills"
"""The policy that decides by exam outcomes whatever the axes are."""

_EFFORTS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
"""Efforts at which a tier is tried."""
_ANSWERS = (0.6, 5.0, 500.0)
"""Lengths of an answer, in tokens for each token of the request. The engine sees 250 tokens of a
request at most, and expects answers of 150 to 5,000."""
_TYPICAL = 5.0

Models = Sequence[CatalogModel]
Figures = Mapping[str, float]
"""Figures of one model by key below its catalog entry: `axes.heavy.coding`."""


def decided_by_effort(models: Models, *, policy: str) -> bool:
    """Whether effort and axes decide among these candidates, not scores."""
    return policy != BY_TOPIC and sum(model.has_axes for model in models) > 1


def compared(models: Models, *, policy: str) -> dict[str, Figures]:
    """Give the figures that engine `local` compares these candidates by.

    A declared capability or size counts only where no candidate has a score.
    """
    if decided_by_effort(models, policy=policy):
        return {model.public_id: _axes(model) for model in models}
    scores = {model.public_id: _scores(model) for model in models}
    if any(scores.values()):
        return scores
    return {model.public_id: _declared(model) for model in models}


def _axes(model: CatalogModel) -> Figures:
    routine = {} if model.routine is None else {"axes.routine": model.routine}
    heavy = {f"axes.heavy.{a}": model.heavy[a] for a in HEAVY_AXES if a in model.heavy}
    return routine | heavy


def _scores(model: CatalogModel) -> Figures:
    found = {}
    if model.topic_scores:
        found["scores.topics"] = sum(model.topic_scores.values()) / len(model.topic_scores)
    if model.score is not None or found:
        found["scores.overall"] = found["scores.topics"] if model.score is None else model.score
    return found


def _declared(model: CatalogModel) -> Figures:
    if model.capability is not None:
        return {"capability": 0.35 + 0.55 * model.capability}
    return {} if model.size is None else {"capability": _SIZES[model.size]}


_SIZES = {"small": 0.55, "medium": 0.68, "large": 0.78, "frontier": 0.86}
"""The score that a size stands for. These and a capability's are the engine's (`skills`)."""


def possible_picks(
    models: Models, *, loss: float, policy: str, free: frozenset[str] = frozenset()
) -> set[str]:
    """Give the public ids that the rule picks over all efforts, axes and lengths of an answer.

    An unknown price never counts as low, unless the model is in `free`.
    """
    if decided_by_effort(models, policy=policy):
        tried = _by_effort(models, loss=loss, policy=policy)
    else:
        tried = ((qualities, loss) for qualities in _by_score(models, policy=policy))
    costs = [[_cost(model, answer=answer, free=free) for model in models] for answer in _ANSWERS]
    return {
        models[_cheapest(qualities, each, bound=bound)].public_id
        for qualities, bound in tried
        for each in costs
    }


def _by_effort(
    models: Models, *, loss: float, policy: str
) -> Iterator[tuple[Sequence[float], float]]:
    routine = _logits(models, lambda model: model.routine)
    axes = [axis for axis in HEAVY_AXES if any(axis in model.heavy for model in models)]
    for heavy in _between([_logits(models, _figure(axis)) for axis in axes] or [routine]):
        for effort in _EFFORTS:
            weight = effort_weight(effort)
            qualities = [
                mixed_quality(routine_logit=r, heavy_logit=h, weight=weight)
                for r, h in zip(routine, heavy, strict=True)
            ]
            yield qualities, effort_bound(loss, policy=policy, effort=effort)


def _between(axes: Sequence[Sequence[float]]) -> Iterator[Sequence[float]]:
    """Each axis, and the middle of each two: a request may lie between two domains."""
    for at, one in enumerate(axes):
        yield one
        for other in axes[:at]:
            yield [(a + b) / 2 for a, b in zip(one, other, strict=True)]


def _by_score(models: Models, *, policy: str) -> Iterator[Sequence[float]]:
    figures = compared(models, policy=policy).values()
    for key in ("scores.overall", "scores.topics", "capability"):
        if all(key in each for each in figures):
            yield [each[key] for each in figures]
    topics = set.intersection(*(set(model.topic_scores) for model in models))
    for topic in sorted(topics):
        yield [model.topic_scores[topic] for model in models]


def _figure(axis: str) -> Callable[[CatalogModel], float | None]:
    return lambda model: model.heavy.get(axis)


def _logits(models: Models, figure: Callable[[CatalogModel], float | None]) -> list[float]:
    given = [figure(model) for model in models]
    known = [share for share in given if share is not None]
    low = low_figure(known) if known else UNKNOWN_ROUTINE
    return [logit(low if share is None else share) for share in given]


def _cheapest(qualities: Sequence[float], costs: Sequence[float], *, bound: float) -> int:
    """Give the place of the cheapest within `bound` of the best; of equals the better one."""
    least = max(qualities) - bound - 1e-9
    within = [at for at, quality in enumerate(qualities) if quality >= least]
    return min(within, key=lambda at: (costs[at], -qualities[at]))


def priced(model: CatalogModel) -> bool:
    """Whether both prices are known."""
    return price(model) is not None


def price(model: CatalogModel, *, answer: float = _TYPICAL) -> float | None:
    """Give the price of a request with `answer` times as much output; `None`: not known."""
    if model.input_price is None or model.output_price is None:
        return None
    return model.input_price + answer * model.output_price


def _cost(model: CatalogModel, *, answer: float, free: frozenset[str]) -> float:
    found = price(model, answer=answer)
    if found is not None:
        return found
    return 0.0 if model.public_id in free else float("inf")
