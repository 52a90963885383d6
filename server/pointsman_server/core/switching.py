"""The arithmetic of a switch: costs of the next turns, and comparison of capability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.core.effort import level_of
from pointsman_server.core.model import CatalogModel, EngineAnswer, RouteRequest, SwitchRules

CACHED_SHARE = 0.1
"""The price of input that a provider reads from its prompt cache, where the catalog lacks it."""
BYTES_PER_TOKEN = 4
GAIN_PER_LEVEL = 0.02
"""Predicted quality that one level more of reasoning effort is assumed to add."""
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """US dollars of the next turns: on the incumbent, and on the fresh pick."""

    stay: float
    switch: float

    def saves(self, margin: float) -> bool:
        """Whether the fresh pick is cheaper by more than `margin`, a share of 0 to 1."""
        return self.switch < self.stay * (1.0 - margin)


def context_tokens(request: RouteRequest) -> float:
    """Tokens of the request's context: the estimate, else from the size of its body."""
    estimate = request.constraints.prompt_tokens_estimate
    return request.body_bytes / BYTES_PER_TOKEN if estimate is None else float(estimate)


def switch_cost(
    incumbent: CatalogModel, fresh: CatalogModel, *, tokens: float, rules: SwitchRules
) -> SwitchCost | None:
    """The cost of `rules.turns_ahead` turns over `tokens` of context; `None`: unknown prices.

    The incumbent reads all of its context from the provider's prompt cache; the fresh pick reads it
    at full price once, and from the cache then.
    """
    stays, goes = _prices(incumbent), _prices(fresh)
    if stays is None or goes is None:
        return None
    turns, answer = rules.turns_ahead, rules.answer_tokens
    stay = turns * tokens * stays.cached + turns * answer * stays.output
    # The same terms in the same order: equal prices give equal sums to the last bit.
    later = turns * tokens * goes.cached + turns * answer * goes.output
    switch = later + tokens * (goes.input - goes.cached)
    return SwitchCost(stay / _MILLION, switch / _MILLION)


def is_more_capable(fresh: CatalogModel, than: CatalogModel, *, answer: EngineAnswer) -> bool:
    """Whether `fresh` is the more capable of two models.

    By the engine's scores for this prompt, else by the catalog's axes of heavy work that both have,
    else by declared capability, else by price: the more expensive model counts as more capable.
    Without any of these, the engine's pick counts.
    """
    scores = scores_of(answer)
    axes = [axis for axis in fresh.heavy if axis in than.heavy]
    for ours, theirs in (
        (scores.get(fresh.public_id), scores.get(than.public_id)),
        (_sum(fresh, axes), _sum(than, axes)),
        (fresh.capability, than.capability),
        (fresh.output_price, than.output_price),
    ):
        if ours is not None and theirs is not None and ours != theirs:
            return ours > theirs
    return True


def _sum(model: CatalogModel, axes: Sequence[str]) -> float | None:
    return sum(model.heavy[axis] for axis in axes) if axes else None


def raised_level(
    incumbent: CatalogModel, *, effort: float | None, answer: EngineAnswer, loss: float
) -> int | None:
    """The steps of reasoning effort after which `incumbent` is good enough; `None`: it never is.

    Good enough is a predicted quality within `loss` of the best candidate's. 0 where it is that
    already; `effort` is the one that the incumbent works at.
    """
    scores = scores_of(answer)
    score = scores.get(incumbent.public_id)
    if score is None:
        return None
    levels = len(incumbent.reasoning_efforts)
    steps = max(levels - 1 - level_of(levels, effort), 0) if levels else 0
    bound = max(scores.values()) - loss - 1e-9
    return next((s for s in range(steps + 1) if score + s * GAIN_PER_LEVEL >= bound), None)


def scores_of(answer: EngineAnswer) -> dict[str, float]:
    """Predicted quality by public id, where the engine scored candidates."""
    return {r.model: r.score for r in answer.ranking if r.score is not None}


@dataclass(frozen=True, slots=True)
class _Prices:
    input: float
    cached: float
    output: float


def _prices(model: CatalogModel) -> _Prices | None:
    if model.input_price is None or model.output_price is None:
        return None
    cached = model.cached_input_price
    cached = model.input_price * CACHED_SHARE if cached is None else cached
    return _Prices(model.input_price, cached, model.output_price)
