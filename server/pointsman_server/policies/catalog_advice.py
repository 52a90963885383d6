"""Warnings about catalog entries of a tier's candidates that prevent good routing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pointsman_server.core.model import CatalogModel, Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, named, shown
from pointsman_server.policies.possible_picks import (
    BY_TOPIC,
    Figures,
    Models,
    compared,
    decided_by_effort,
    possible_picks,
    price,
    priced,
)

_PER_MILLION = 0.005
"""Dollars: no model is sold for less per million tokens; less is a price per token or thousand."""


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
        given = getattr(model, key)
        if given is not None and 0 < given < _PER_MILLION:
            message = f"is {given:g}, which looks like a price per token; give dollars per million"
            yield Diagnostic(("catalog", model.public_id, key), message)


def _routable(policy: PolicyFile, tier: Tier) -> Models:
    """List a tier's candidates that can be picked; without any, all models of the catalog."""
    models = [policy.catalog[name] for name in tier.default_candidates or policy.catalog]
    return [model for model in models if model.router_id is not None and not model.experimental]


def _unmeasured(models: Models, *, tier: Tier) -> Iterator[Diagnostic]:
    """Find figures that some candidates lack and others have."""
    by_model = compared(models, policy=tier.policy)
    keys = dict.fromkeys(key for figures in by_model.values() for key in figures)
    for public_id, figures in by_model.items():
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


def _unroutable(models: Models, *, tier: Tier, policy: PolicyFile) -> Iterator[Diagnostic]:
    """Find a tier whose pick cannot depend on the request."""
    path = ("tiers", tier.name, "candidates")
    figures = compared(models, policy=tier.policy)
    if len(models) < 2:  # noqa: PLR2004 - `lint` tells of too few candidates
        return
    if not any(figures.values()):
        # Without prices either, such a catalog serves another engine than `local`.
        if any(map(priced, models)):
            yield Diagnostic(path, _without_figures(models, policy=tier.policy))
        return
    by_effort = decided_by_effort(models, policy=tier.policy)
    # What a score, and a gap among scores, mean for a request is for the engine to say.
    if not by_effort and not (all(figures.values()) and all(map(priced, models))):
        return
    loss = policy.local.quality_loss[tier.policy]
    picks = possible_picks(models, loss=loss, policy=tier.policy)
    if len(picks) > 1:
        return
    [pick] = [model for model in models if model.public_id in picks]
    if by_effort or _is_cheapest(pick, models):
        yield Diagnostic(path, _one_pick(pick, models, figures, bound=(tier.policy, loss)))


def _without_figures(models: Models, *, policy: str) -> str:
    if policy == BY_TOPIC and any(model.has_axes for model in models):
        return f"have no `scores`, by which `{policy}` decides: the cheapest is always picked"
    return (
        "have prices alone: without `axes`, `scores`, `capability` or `size`"
        " the cheapest is always picked"
    )


def _one_pick(
    pick: CatalogModel, models: Models, figures: Mapping[str, Figures], *, bound: tuple[str, float]
) -> str:
    """Say why `pick` is the only one. `bound` is the policy and its bound."""
    (policy, loss), name = bound, named([pick.public_id])
    unpriced = [model.public_id for model in models if not priced(model)]
    others = frozenset(unpriced) - {pick.public_id}
    if possible_picks(models, loss=loss, policy=policy, free=others) != {pick.public_id}:
        return f"have no price for {named(unpriced)}: {name} is always picked"
    allowed = f"`quality_loss.{policy}` ({loss:g}) allows"
    if not _is_cheapest(pick, models):
        return f"cheaper ones fall short by more than {allowed}: {name} is always picked"
    own = figures[pick.public_id]
    if all(own.get(k, 0.0) >= f for other in figures.values() for k, f in other.items()):
        return f"{name} is the cheapest and the best on every axis: it is always picked"
    return f"differ by less than {allowed}: {name}, the cheapest, is always picked"


def _is_cheapest(pick: CatalogModel, models: Models) -> bool:
    """Whether no known price is lower; an unknown one never counts as low."""
    found = price(pick)
    known = [each for each in map(price, models) if each is not None]
    return found is not None and found == min(known)
