"""Choice among scored candidates: the cheapest within a bound of the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman_server.core.model import CatalogModel
from pointsman_server.core.value import value

CHARS_PER_TOKEN: Final = 4
_MILLION: Final = 1_000_000


@value(kw_only=True)
class Scored:
    """A candidate with its predicted quality, 0..1, and its expected cost in dollars."""

    model: CatalogModel
    quality: float
    cost: float | None
    """`None`: a price is not known."""


def expected_cost(model: CatalogModel, *, chars: int, output_tokens: float) -> float | None:
    """Give the dollars for a prompt of `chars` and an answer; `None`: a price is not known."""
    if model.input_price is None or model.output_price is None:
        return None
    tokens = chars / CHARS_PER_TOKEN * model.input_price + output_tokens * model.output_price
    return tokens / _MILLION


def best_first(scored: Sequence[Scored]) -> list[Scored]:
    """Sort by quality; of equals the cheaper first, then in the order given."""
    return sorted(scored, key=lambda s: (-round(s.quality, 9), _price(s)))


def choose(ranked: Sequence[Scored], *, loss: float) -> Scored:
    """Pick the cheapest within `loss` of the first; an unknown price never counts as low."""
    bound = ranked[0].quality - loss - 1e-9
    return min((s for s in ranked if s.quality >= bound), key=_price)


def _price(scored: Scored) -> float:
    return float("inf") if scored.cost is None else scored.cost
