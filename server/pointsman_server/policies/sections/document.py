"""The complete policy file: its sections and top-level values."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pointsman_server.core.model import DataPolicy, Mode, Organizations
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.sections.axes import Axis, BenchmarkSection
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.catalog import ModelId, ModelSection
from pointsman_server.policies.sections.engines import EnginesSection
from pointsman_server.policies.sections.llm import LlmSection
from pointsman_server.policies.sections.scalars import name, number
from pointsman_server.policies.sections.service import (
    CacheSection,
    ClassificationSection,
    DecisionLogSection,
    FlagsSection,
)
from pointsman_server.policies.sections.tiers import StickinessName, TierSection

TierName = Annotated[str, name()]


def _without_old_name(value: object) -> object:
    """Take `denied`, from files of version 0.1, as `local_only`."""
    return "local_only" if value == "denied" else value


OrganizationsName = Annotated[
    Literal["excluded", "local_only", "allowed"], BeforeValidator(_without_old_name)
]


class PolicyDocument(Section):
    """The policy file of Pointsman."""

    mode: Literal["off", "shadow", "serve"] = "shadow"
    """`off`: no decisions. `shadow`: decisions are recorded while gateways serve their static
    pick. `serve`: decisions are served.
    """
    serve_percent: Annotated[float, number(0, 100)] = 100.0
    """In mode `serve`, the share of conversations that are served, in percent. One conversation
    never changes sides.
    """
    stickiness: StickinessName = "adaptive"
    """The lifetime of one decision. `adaptive`: every task is decided, and the conversation leaves
    its model only for an upgrade or a saving that is worth a switch. `conversation`: for the
    conversation, until `cache.ttl` is over or something that it depended on changes. `exact`: for
    the same content only.
    """
    data_policy: Literal["third_party_allowed", "third_party_denied"] = "third_party_allowed"
    """Whether prompts may go to a third party's engine, for requests without `data_policy`."""
    organizations: OrganizationsName = "excluded"
    """The treatment of requests whose caller belongs to an organisation. `excluded`: they are left
    untouched. `local_only`: they are decided in the process, and no third party's engine gets their
    prompts. `allowed`: they are decided like any other.
    """
    tiers: Annotated[
        dict[TierName, TierSection],
        Field(default_factory=dict, min_length=1, max_length=1_000),
    ]
    """The pseudo-models that users select, by name. Required unless `llm.routes` is given."""
    catalog: Annotated[
        dict[ModelId, ModelSection],
        Field(default_factory=dict, min_length=1, max_length=10_000),
    ]
    """The models, by public id. Required with `tiers`, and unless `llm.routes` is given."""
    benchmarks: dict[Axis, BenchmarkSection] = Field(default_factory=dict)
    """The benchmark behind each axis of the catalog's `axes`: one for all models of the file."""
    engines: EnginesSection = EnginesSection()
    """The engines that decide, and their order."""
    cache: CacheSection = CacheSection()
    """The cache of decisions."""
    flags: FlagsSection = FlagsSection()
    """Feature flags."""
    classification: ClassificationSection = ClassificationSection()
    """Labels in addition to the decision."""
    decision_log: DecisionLogSection = DecisionLogSection()
    """The decision log."""
    llm: LlmSection = LlmSection()
    """Purposes of LLM calls, and the LLMs that serve them."""

    def to_core(self, *, version: str, rules_digest: bytes = b"") -> PolicyFile:
        """Give the file as a core value."""
        units = {str(axis): benchmark.unit for axis, benchmark in self.benchmarks.items()}
        return PolicyFile(
            version=version,
            rules_digest=rules_digest,
            mode=Mode(self.mode),
            serve_percent=self.serve_percent,
            tiers=MappingProxyType(
                {n: t.to_core(n, stickiness=self.stickiness) for n, t in self.tiers.items()}
            ),
            catalog=MappingProxyType(
                {i: m.to_core(i, units=units) for i, m in self.catalog.items()}
            ),
            engines=self.engines.order,
            morph=self.engines.morph.to_core(),
            local=self.engines.local.to_core(),
            cache=self.cache.to_core(),
            flags=self.flags.to_core(),
            log=self.decision_log.to_core(),
            data_policy=DataPolicy(self.data_policy),
            organizations=Organizations(self.organizations),
            decision_models=MappingProxyType(
                {n: m.to_core() for n, m in self.engines.decision_models.items()}
            ),
            classify_engine=self.classification.remote_engine(),
            classify_budget=self.classification.budget,
            llm=self.llm.to_core(),
        )
