"""Values of the policy file: models, tiers, flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_server.core.model._words import Modality, Source, Stickiness

HEAVY_AXES = ("coding", "knowledge", "instructions", "general")
"""The kinds of heavy work that a model may have a figure for."""


def provider_of(public_id: str) -> str:
    """The part of a public id before the first slash; all of it where there is none."""
    return public_id.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogModel:
    """One public model id with its properties. `None` always means "unknown".

    Prices are US dollars per million tokens; `context_window` is in tokens; `score`,
    `capability`, `routine` and the values of `topic_scores` and `heavy` lie between 0 and 1.
    """

    public_id: str
    router_id: str | None = None
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    """Of input that the provider reads from its prompt cache."""
    context_window: int | None = None
    inputs: frozenset[Modality] | None = None
    tools: bool | None = None
    experimental: bool = False
    topic_scores: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    capability: float | None = None
    size: str | None = None
    """A declared class, weakest knowledge of all: `small`, `medium`, `large` or `frontier`."""
    reasoning_efforts: tuple[str, ...] = ()
    """Levels of reasoning effort that requests may ask of it, lowest first."""
    routine: float | None = None
    """Success at routine work."""
    heavy: Mapping[str, float] = field(default_factory=dict)
    """Success at heavy work, by axis of `HEAVY_AXES`; axes without a figure are absent."""

    @property
    def has_axes(self) -> bool:
        """Whether any axis has a figure."""
        return self.routine is not None or bool(self.heavy)

    @property
    def provider(self) -> str:
        """The provider of the model."""
        return provider_of(self.public_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRules:
    """When a conversation under stickiness `adaptive` leaves its model."""

    upgrade_confidence: float = 0.6
    """The confidence from which an answer may move a conversation, 0 to 1."""
    turns_ahead: int = 4
    """Turns over which the costs of both models are compared."""
    saving_margin: float = 0.2
    """The share of the costs that a switch has to save."""
    context_lock_tokens: int | None = None
    """Tokens of context above which no saving is worth a switch; `None`: no such bound."""
    answer_tokens: int = 500
    """Expected length of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A pseudo-model that users select, and how it is routed."""

    name: str
    policy: str
    stickiness: Stickiness
    default_candidates: tuple[str, ...] = ()
    switching: SwitchRules = SwitchRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchValues:
    """Feature flags, which an operator changes without a restart."""

    morph_router_enabled: bool = False
    """Whether prompts may be sent to Morph."""
    decision_model_enabled: bool = False
    """Whether prompts may be sent to decision models."""

    def permits(self, source: Source) -> bool:
        """Whether engines of this kind may be called."""
        match source:
            case Source.MORPH:
                return self.morph_router_enabled
            case Source.DECISION_MODEL:
                return self.decision_model_enabled
            case Source.LOCAL:
                return True
