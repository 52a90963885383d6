"""The eligible candidates of a request, and the drop reasons of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman_server.core.model import (
    CatalogModel,
    Constraints,
    Dropped,
    DropReason,
    EngineAnswer,
)
from pointsman_server.core.policy_file import PolicyFile


@dataclass(frozen=True, slots=True)
class Selection:
    """Candidates that are left, in the order given, and those that are not."""

    eligible: tuple[CatalogModel, ...]
    dropped: tuple[Dropped, ...]


def select(
    public_ids: Iterable[str],
    *,
    rules: PolicyFile,
    constraints: Constraints,
    provider: str | None = None,
) -> Selection:
    """Drop candidates that cannot serve this request, each with its first reason.

    `provider`: the only one that may serve. Context windows are compared among its models.
    """
    eligible: list[CatalogModel] = []
    dropped: list[Dropped] = []
    seen: set[str] = set()
    for public_id in public_ids:
        model = rules.catalog.get(public_id)
        reason = _why_unmapped(public_id, model, rules=rules, constraints=constraints)
        if reason is None and model is not None:
            reason = _why_unfit(model, seen=seen, constraints=constraints)
        if reason is None and model is not None:
            eligible.append(model)
        else:
            dropped.append(Dropped(model=public_id, reason=reason or DropReason.UNMAPPED))
    if provider is not None:
        others = [m for m in eligible if m.provider != provider]
        dropped += [Dropped(model=m.public_id, reason=DropReason.OTHER_PROVIDER) for m in others]
        eligible = [m for m in eligible if m.provider == provider]
    fitting = _fitting(eligible, constraints.prompt_tokens_estimate)
    dropped += [
        Dropped(model=m.public_id, reason=DropReason.CONTEXT_TOO_SMALL)
        for m in eligible
        if m not in fitting
    ]
    return Selection(tuple(fitting), tuple(dropped))


def _why_unmapped(
    public_id: str, model: CatalogModel | None, *, rules: PolicyFile, constraints: Constraints
) -> DropReason | None:
    if rules.is_virtual(public_id):
        return DropReason.VIRTUAL
    if public_id in constraints.denied_models:
        return DropReason.DENIED
    if model is not None and model.experimental:
        return DropReason.EXPERIMENTAL
    if model is None or model.router_id is None:
        return DropReason.UNMAPPED
    return None


def _why_unfit(
    model: CatalogModel, *, seen: set[str], constraints: Constraints
) -> DropReason | None:
    router_id = model.router_id or ""
    if router_id in seen:
        return DropReason.DUPLICATE
    seen.add(router_id)
    return _why_unable(model, constraints)


def _why_unable(model: CatalogModel, constraints: Constraints) -> DropReason | None:
    # Unknown inputs fail closed: the request would reach the user as a provider's 4xx.
    if not constraints.required_inputs <= (model.inputs or frozenset()):
        return DropReason.INPUT_UNSUPPORTED
    if constraints.requires_tools and not model.tools:
        return DropReason.TOOLS_UNSUPPORTED
    return None


def _fitting(models: list[CatalogModel], tokens: int | None) -> list[CatalogModel]:
    """Unknown windows keep their place; when every known one is too small the largest stays."""
    if tokens is None:
        return models
    windows = {m.public_id: m.context_window for m in models if m.context_window is not None}
    if not windows:
        return models
    fits = {name for name, window in windows.items() if window >= tokens}
    fits = fits or {max(windows, key=lambda name: windows[name])}
    return [m for m in models if m.public_id not in windows or m.public_id in fits]


def contains_answer(answer: EngineAnswer, candidates: Sequence[CatalogModel]) -> bool:
    """Whether `answer` names one of this request's candidates."""
    public_id, router_id = answer.model, answer.router_model
    for model in candidates:
        if model.public_id == public_id and model.router_id == router_id:
            return True
    return False


def fails(model: CatalogModel, constraints: Constraints) -> bool:
    """Whether a model of the catalog may not serve this request."""
    if model.public_id in constraints.denied_models or _why_unable(model, constraints):
        return True
    tokens, window = constraints.prompt_tokens_estimate, model.context_window
    return tokens is not None and window is not None and window < tokens


def default_model(
    eligible: tuple[CatalogModel, ...], static_pick: CatalogModel | None
) -> CatalogModel:
    """The candidate with the static pick's router id, else the first.

    Router ids are compared, not public ones: two public ids may name the same model.
    """
    if static_pick is not None and static_pick.router_id is not None:
        for model in eligible:
            if model.router_id == static_pick.router_id:
                return model
    return eligible[0]
