"""Warnings about catalog entries of a tier's candidates that prevent good routing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pointsman_server.core.anchored_quality import (
    UNKNOWN_ROUTINE,
    effort_bound,
    effort_weight,
    logit,
    low_figure,
    mixed_quality,
)
from pointsman_server.core.model import HEAVY_AXES, CatalogModel, Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, named, shown

_PER_MILLION = 0.005
"""Dollars: no model is sold for less per million tokens; less is a price per token or thousand."""
_EFFORTS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)
"""Efforts at which a tier is tried; hardly a request is judged to be harder."""

_BY_TOPIC = "domain_skills"
"""The policy that decides by exam outcomes whatever the axes are."""

Models = Sequence[CatalogModel]
Figures = Mapping[str, float]
"""Figures of one model by key below its catalog entry: `axes.heavy.coding`."""


def catalog_advice(policy: PolicyFile) -> Iterator[Diagnostic]:
    """Find prices in the wrong unit, candidates without figures, and tiers that cannot route."""
    for model in policy.catalog.values():
        yield from _prices(model)
    if "local" not in policy.engines:
        return
    told: set[KeyPath] = set()
    for tier in policy.tiers.values():
        models = _routable(policy, tier)
        for found in _unmeasured(models, tier=tier):
            if found.path not in told:
                told.add(found.path)
                yield found
        if tier.default_candidates:
            yield from _unroutable(models, tier=tier, policy=policy)


def _prices(model: CatalogModel) -> Iterator[Diagnostic]:
    for key in ("input_price", "output_price"):
        price = getattr(model, key)
        if price is not None and 0 < price < _PER_MILLION:
            message = f"is {price:g}, which looks like a price per token; give dollars per million"
            yield Diagnostic(("catalog", model.public_id, key), message)


def _routable(policy: PolicyFile, tier: Tier) -> Models:
    """List a tier's candidates that can be picked; without any, all models of the catalog."""
    models = [policy.catalog[name] for name in tier.default_candidates or policy.catalog]
    return [model for model in models if model.router_id is not None and not model.experimental]


def _unmeasured(models: Models, *, tier: Tier) -> Iterator[Diagnostic]:
    """Find figures that some candidates lack and others have."""
    compared = _compared(models, policy=tier.policy)
    keys = dict.fromkeys(key for figures in compared.values() for key in figures)
    for public_id, figures in compared.items():
        for key in keys:
            if key not in figures:
                message = (
                    f"is not given, and other candidates of `{shown(tier.name)}` have it:"
                    f" {_consequence(key)}"
                )
                yield Diagnostic(("catalog", public_id, *key.split(".")), message)


def _consequence(key: str) -> str:
    if key.startswith("axes"):
        return "the model counts low there"
    if key == "scores.topics":
        return "the tier is decided without the topics"
    return "the model's skill is guessed"


def _decided_by_effort(models: Models, *, policy: str) -> bool:
    return policy != _BY_TOPIC and sum(model.has_axes for model in models) > 1


def _compared(models: Models, *, policy: str) -> dict[str, Figures]:
    """Give the figures that engine `local` compares these candidates by.

    A declared capability or size counts only where no candidate has a score.
    """
    if _decided_by_effort(models, policy=policy):
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


def _unroutable(models: Models, *, tier: Tier, policy: PolicyFile) -> Iterator[Diagnostic]:
    """Find a tier whose pick cannot depend on the request."""
    path = ("tiers", tier.name, "candidates")
    compared = _compared(models, policy=tier.policy)
    if len(models) < 2:  # noqa: PLR2004 - `lint` tells of too few candidates
        return
    if not any(compared.values()):
        # Without prices either, such a catalog serves another engine than `local`.
        if any(_price(model) is not None for model in models):
            yield Diagnostic(path, _without_figures(models, policy=tier.policy))
        return
    by_effort = _decided_by_effort(models, policy=tier.policy)
    # What a score, and a gap among scores, mean for a request is for the engine to say.
    if not by_effort and (not all(compared.values()) or not _priced(models)):
        return
    loss = policy.local.quality_loss[tier.policy]
    picks = _picks(models, loss=loss, policy=tier.policy)
    if len(picks) > 1:
        return
    [pick] = picks
    cheapest = min(models, key=_cost).public_id
    if by_effort or pick == cheapest:
        yield Diagnostic(path, _one_pick(pick, models, compared, bound=(tier.policy, loss)))


def _without_figures(models: Models, *, policy: str) -> str:
    if policy == _BY_TOPIC and any(model.has_axes for model in models):
        return f"have no `scores`, by which `{policy}` decides: the cheapest is always picked"
    return (
        "have prices alone: without `axes`, `scores`, `capability` or `size`"
        " the cheapest is always picked"
    )


def _one_pick(
    pick: str, models: Models, compared: Mapping[str, Figures], *, bound: tuple[str, float]
) -> str:
    """Say why `pick` is the only one. `bound` is the policy and its bound."""
    figures, allowed = compared[pick], f"`quality_loss.{bound[0]}` ({bound[1]:g}) allows"
    best = all(figures.get(k, 0.0) >= f for other in compared.values() for k, f in other.items())
    if not _priced(models):
        unpriced = named([model.public_id for model in models if _price(model) is None])
        return f"have no price for {unpriced}: {named([pick])} is always picked"
    if pick != min(models, key=_cost).public_id:
        return f"fall short of {named([pick])} by more than {allowed}: it is always picked"
    if best:
        return f"{named([pick])} is the cheapest and the best on every axis: it is always picked"
    return f"differ by less than {allowed}: {named([pick])}, the cheapest, is always picked"


def _picks(models: Models, *, loss: float, policy: str) -> set[str]:
    """Give the public ids that the rule picks over all efforts and axes."""
    if _decided_by_effort(models, policy=policy):
        tried = _by_effort(models, loss=loss, policy=policy)
    else:
        tried = ((qualities, loss) for qualities in _by_score(models, policy=policy))
    return {_cheapest(models, qualities, bound=bound) for qualities, bound in tried}


def _by_effort(
    models: Models, *, loss: float, policy: str
) -> Iterator[tuple[Sequence[float], float]]:
    routine = _filled(models, lambda model: model.routine)
    axes = [axis for axis in HEAVY_AXES if any(axis in model.heavy for model in models)]
    for heavy in [_filled(models, _figure(axis)) for axis in axes] or [routine]:
        for effort in _EFFORTS:
            weight = effort_weight(effort)
            qualities = [
                mixed_quality(routine_logit=logit(r), heavy_logit=logit(h), weight=weight)
                for r, h in zip(routine, heavy, strict=True)
            ]
            yield qualities, effort_bound(loss, policy=policy, effort=effort)


def _by_score(models: Models, *, policy: str) -> Iterator[Sequence[float]]:
    compared = _compared(models, policy=policy).values()
    for key in ("scores.overall", "scores.topics", "capability"):
        if all(key in figures for figures in compared):
            yield [figures[key] for figures in compared]
    topics = set.intersection(*(set(model.topic_scores) for model in models))
    for topic in sorted(topics):
        yield [model.topic_scores[topic] for model in models]


def _figure(axis: str) -> Callable[[CatalogModel], float | None]:
    return lambda model: model.heavy.get(axis)


def _filled(models: Models, figure: Callable[[CatalogModel], float | None]) -> list[float]:
    given = [figure(model) for model in models]
    known = [share for share in given if share is not None]
    low = low_figure(known) if known else UNKNOWN_ROUTINE
    return [low if share is None else share for share in given]


def _cheapest(models: Models, qualities: Iterable[float], *, bound: float) -> str:
    rated = list(zip(models, qualities, strict=True))
    best = max(quality for _, quality in rated)
    within = [(model, quality) for model, quality in rated if quality >= best - bound - 1e-9]
    return min(within, key=lambda pair: (_cost(pair[0]), -pair[1]))[0].public_id


def _priced(models: Models) -> bool:
    return all(_price(model) is not None for model in models)


def _cost(model: CatalogModel) -> float:
    """Give the price by which candidates are compared; an unknown one never counts as low."""
    price = _price(model)
    return float("inf") if price is None else price


def _price(model: CatalogModel) -> float | None:
    """Give the price of a request with five times as much output as input.

    The engine sees at most 250 tokens of a request, and expects answers of 150 to 5,000.
    """
    if model.input_price is None or model.output_price is None:
        return None
    return model.input_price + 5 * model.output_price
