"""`engines`: the engines, their order and their settings."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.model import Source
from pointsman_server.core.policy_file import LocalRules, ReaderKind
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.catalog import Share
from pointsman_server.policies.sections.decision_models import DecisionModelSection
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.remote import RemoteSection
from pointsman_server.policies.sections.scalars import (
    duration,
    engine_name,
    file_path,
    number,
    variable_name,
)
from pointsman_server.policies.sections.tiers import PolicyName
from pointsman_server.policies.sections.urls import engine_url

EngineName = Annotated[str, engine_name()]

BUILT_IN = (Source.MORPH.value, Source.LOCAL.value)
"""Engine names that decision models may not have."""

_MORPH = MorphRules()
_LOCAL = LocalRules(quality_loss={})
_QUALITY_LOSS: dict[PolicyName, float] = {
    "capability_heavy": 0.02,
    "balanced": 0.05,
    "cost_efficient": 0.10,
    "domain_skills": 0.0,
}


class MorphSection(RemoteSection):
    """Engine `morph`, a remote router. It is called only while `morph_router_enabled` is on."""

    url: Annotated[str, engine_url()] = _MORPH.url
    """Base URL; `/v1/router/multimodel` is appended. Plain http to another machine is a warning."""
    key_env: Annotated[str, variable_name()] | None = _MORPH.key_env
    """The environment variable that holds the key. `null`: none."""
    price_per_call: Annotated[float, number(0, 1_000)] = _MORPH.price_per_call
    """US dollars for one answer; `pointsman report` adds it to the cost of decisions."""

    def to_core(self) -> MorphRules:
        """Give the section as a core value."""
        return MorphRules(**self.shared())


class LocalSection(Section):
    """Engine `local`, the embedded model: no network, no key."""

    quality_loss: dict[PolicyName, Share] = Field(default_factory=_QUALITY_LOSS.copy)
    """The predicted quality that a policy may give up for a lower price. A policy that is left
    out keeps its default.
    """
    needs_info_threshold: Share = 0.25
    """The probability from which a prompt counts as too ambiguous to size; the static pick is
    then served.
    """
    reader: Literal["default", "semantic", "auto"] = "default"
    """What sizes a request. `default`: the small built-in reader. `semantic`: the encoder of
    `pointsman[semantic]`, about 10 ms of processor time a request. `auto`: the encoder for requests
    that the default reader is unsure of.
    """
    reader_deadline: Annotated[float, duration("1ms", "1s")] = _LOCAL.reader_deadline
    """How long a decision waits for the encoder; then the default reader's estimate holds."""
    artefact: Annotated[str, file_path()] | None = None
    """The default reader's artefact, as `pointsman train` writes it; a relative path begins at the
    process's working directory. Without it the built-in one is used. It is read at the start and
    when the policy file changes. An artefact that harmless changes of a request sway is refused.
    """

    def to_core(self) -> LocalRules:
        """Give the section as a core value; policies that it leaves out keep their default."""
        loss = {str(p): loss for p, loss in (_QUALITY_LOSS | self.quality_loss).items()}
        return LocalRules(
            quality_loss=MappingProxyType(loss),
            needs_info_threshold=self.needs_info_threshold,
            reader=ReaderKind(self.reader),
            reader_deadline=self.reader_deadline,
            artefact=self.artefact,
        )


class EnginesSection(Section):
    """The engines, their order and their settings."""

    order: Annotated[ListOf[EngineName], Field(min_length=1), DISTINCT] = BUILT_IN
    """Engine names in the order in which they are called: `morph`, `local` and those under
    `decision_models`. The next one is called when one fails or may not be called.
    """
    morph: MorphSection = MorphSection()
    """Engine `morph`."""
    local: LocalSection = LocalSection()
    """Engine `local`."""
    decision_models: Annotated[dict[EngineName, DecisionModelSection], Field(max_length=16)] = (
        Field(default_factory=dict)
    )
    """Decision models, each under a name that `order` uses."""
