"""The cost of one request with the static pick and with the decision, under assumptions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pointsman_server.core.model import CatalogModel, Source
from pointsman_server.report.line import DecisionLine

CHARS_PER_TOKEN: Final = 4
NO_MODEL: Final = "(none)"
"""Stands for the model of a request without a static pick."""
UNSIZED_TOKENS: Final = 2_000
"""Of a request whose size the gateway did not say."""
_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Assumptions about missing facts. Both models read and write equally many tokens."""

    output_tokens: float = 500.0
    input_tokens: float | None = None
    """`None`: of each line by its size, or `UNSIZED_TOKENS`."""
    router_price: float = 5.0
    """US dollars per thousand calls of engine `morph`."""
    decision_model_price: float | None = None
    """US dollars per thousand calls of a decision model; `None`: there is none. The log does not
    say which decision model answered, so that of several the dearest counts.
    """

    @property
    def router_prices(self) -> dict[str, float]:
        """Engine -> US dollars per thousand calls; the embedded engine has no price."""
        prices = {Source.MORPH.value: self.router_price, Source.LOCAL.value: 0.0}
        if self.decision_model_price is not None:
            prices[Source.DECISION_MODEL.value] = self.decision_model_price
        return prices


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCost:
    """US dollars for one request."""

    static: float
    """With the static pick."""
    decided: float
    """With the decision served, wherever it may be."""
    served: float
    """With the models in `serve_model`."""
    router: float
    input_tokens: float

    @property
    def difference(self) -> float:
        """The added cost of serving, including the router's price; negative: savings."""
        return self.decided + self.router - self.static


class Prices:
    """The catalog's prices under assumptions."""

    def __init__(self, catalog: Mapping[str, CatalogModel], *, assumed: Assumptions) -> None:
        self._catalog = catalog
        self._assumed = assumed
        self._router_prices = assumed.router_prices

    def of(self, line: DecisionLine) -> RequestCost | Collection[str]:
        """Give the cost of a line's request, or the models of it that have no price."""
        tokens = self._input_tokens(line)
        static = self._model(line.static_pick, tokens)
        decided = self._model(line.would_serve, tokens)
        served = self._model(line.served_model, tokens)
        if static is None or decided is None or served is None:
            models = (line.static_pick, line.would_serve, line.served_model)
            return {name or NO_MODEL for name in models if self._model(name, tokens) is None}
        return RequestCost(
            static=static,
            decided=decided,
            served=served,
            router=self._router(line),
            input_tokens=tokens,
        )

    def _input_tokens(self, line: DecisionLine) -> float:
        if self._assumed.input_tokens is not None:
            return self._assumed.input_tokens
        # Gateways that do not say how large a body is send 0. `prompt_chars` is no stand-in: it is
        # cut at a thousand, and of one message.
        return line.body_bytes / CHARS_PER_TOKEN or UNSIZED_TOKENS

    def _model(self, name: str | None, input_tokens: float) -> float | None:
        model = self._catalog.get(name) if name is not None else None
        if model is None or model.input_price is None or model.output_price is None:
            return None
        dollars = (
            input_tokens * model.input_price + self._assumed.output_tokens * model.output_price
        )
        return dollars / _MILLION

    def _router(self, line: DecisionLine) -> float:
        """The price of an engine's answer; cached answers and failed calls cost nothing."""
        if line.kept or line.source is None:
            return 0.0
        return self._router_prices.get(line.source, 0.0) / _THOUSAND
