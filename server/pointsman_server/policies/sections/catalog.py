"""`catalog`: public model ids with their properties."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.model import CatalogModel, Modality
from pointsman_server.policies.sections.axes import AxesSection, Unit
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.scalars import name, number, phrase, whole

ModelId = Annotated[str, name()]
Share = Annotated[float, number(0, 1)]
Price = Annotated[float, number(0, 100_000)]
Input = Literal["image", "file", "audio", "video"]


class ScoresSection(Section):
    """Published benchmark scores of one model, as shares of right answers."""

    overall: Share | None = None
    """One published benchmark score, as the share of right answers."""
    topics: Annotated[dict[Annotated[str, phrase(64)], Share], Field(max_length=256)] = Field(
        default_factory=dict
    )
    """A published score on one topic. Up to 256 topics, names of 1 to 64 characters."""


class ModelSection(Section):
    """One public model id. An absent property is unknown, which differs from "no"."""

    router_id: ModelId | None = None
    """The engines' id of the model. Without one, the model is never a candidate."""
    input_price: Price | None = None
    """US dollars per million input tokens."""
    output_price: Price | None = None
    """US dollars per million output tokens."""
    cached_input_price: Price | None = None
    """US dollars per million input tokens that the provider reads from its prompt cache. Absent:
    a tenth of `input_price`.
    """
    context_window: Annotated[int, whole(1, 1_000_000_000)] | None = None
    """Maximum tokens of input and output together."""
    inputs: Annotated[ListOf[Input], Field(max_length=16), DISTINCT] | None = None
    """Inputs that it accepts besides text; an empty list: none."""
    tools: bool | None = None
    """Whether it supports tools."""
    experimental: bool = False
    """Whether it is excluded from every decision."""
    scores: ScoresSection = ScoresSection()
    """Published benchmark scores."""
    axes: AxesSection = AxesSection()
    """Published figures for routine and heavy work, each axis from one benchmark."""
    capability: Share | None = None
    """Your estimate of its capability, if no score is published."""
    size: Literal["small", "medium", "large", "frontier"] | None = None
    """Its class, if nothing better is known."""
    reasoning_efforts: Annotated[
        ListOf[Annotated[str, name(32)]], Field(max_length=8), DISTINCT
    ] = ()
    """The levels of reasoning effort that a request may ask of it, lowest first, as its API names
    them. Empty: none, and no level is advised.
    """

    def to_core(self, public_id: str, *, units: Mapping[str, Unit]) -> CatalogModel:
        """Give the entry as a core value; `units` are those of the axes' benchmarks."""
        return CatalogModel(
            public_id=public_id,
            router_id=self.router_id,
            input_price=self.input_price,
            output_price=self.output_price,
            cached_input_price=self.cached_input_price,
            context_window=self.context_window,
            inputs=None if self.inputs is None else frozenset(map(Modality, self.inputs)),
            tools=self.tools,
            experimental=self.experimental,
            topic_scores=MappingProxyType(dict(self.scores.topics)),
            score=self.scores.overall,
            capability=self.capability,
            size=self.size,
            reasoning_efforts=self.reasoning_efforts,
            routine=self.axes.routine_share(units),
            heavy=MappingProxyType(self.axes.heavy_shares(units)),
        )
