"""Configuration in force -> wire response."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from pointsman.v1 import describe_routing_pb2 as pb

from pointsman_server.core.description import Description, EngineDescription
from pointsman_server.core.model import CatalogModel, DataPolicy, Organizations, Tier
from pointsman_server.core.routes import Route
from pointsman_server.core.weighted_split import share


def to_description(description: Description) -> pb.DescribeRoutingResponse:
    """The response with the configuration in force."""
    rules = description.rules
    return pb.DescribeRoutingResponse(
        mode=f"MODE_{rules.mode.name}",
        serve_percent=rules.serve_percent,
        tiers=[_tier(rules.tiers[name]) for name in sorted(rules.tiers)],
        models=[_model(rules.catalog[name]) for name in sorted(rules.catalog)],
        engines=[_engine(engine) for engine in description.engines],
        policy_version=rules.version,
        policy_loaded_at=Timestamp(seconds=int(description.loaded_at)),
        reload_problems=[
            pb.PolicyProblem(path=p.path, message=p.message) for p in description.reload_problems
        ],
        warnings=[pb.PolicyProblem(path=w.path, message=w.message) for w in description.warnings],
        server_version=description.server_version,
        third_party_allowed=rules.data_policy is not DataPolicy.THIRD_PARTY_DENIED,
        organizations_allowed=rules.organizations is Organizations.ALLOWED,
        organizations=f"ORGANIZATION_POLICY_{rules.organizations.name}",
        purposes=[_purpose(name, rules.llm.routes[name]) for name in sorted(rules.llm.routes)],
        profiles=[
            pb.ProfileDescription(name=p.name, provider=p.provider, model=p.model)
            for _, p in sorted(rules.llm.profiles.items())
        ],
    )


def _purpose(name: str, route: Route) -> pb.PurposeDescription:
    split = route.candidates
    return pb.PurposeDescription(
        name=name,
        candidates=[pb.ProfileShare(profile=c.profile, share=share(c, split)) for c in split],
        fallback_profiles=route.fallback_profiles,
        tier=route.tier or "",
        eligible_errors=route.eligible_errors,
    )


def _tier(tier: Tier) -> pb.TierDescription:
    return pb.TierDescription(
        name=tier.name,
        policy=tier.policy,
        stickiness=f"STICKINESS_{tier.stickiness.name}",
        default_candidates=tier.default_candidates,
    )


def _model(model: CatalogModel) -> pb.ModelDescription:
    return pb.ModelDescription(
        model=model.public_id,
        router_model=model.router_id or "",
        routable=model.router_id is not None and not model.experimental,
        input_price=model.input_price,
        output_price=model.output_price,
        context_window=model.context_window,
        cached_input_price=model.cached_input_price,
        reasoning_efforts=model.reasoning_efforts,
        routine=model.routine,
        heavy=model.heavy,
    )


def _engine(engine: EngineDescription) -> pb.EngineDescription:
    return pb.EngineDescription(
        name=engine.name,
        state=f"ENGINE_STATE_{engine.state.name}",
        consecutive_failures=engine.consecutive_failures,
        third_party=engine.third_party,
        probing=engine.probing,
        in_flight=engine.in_flight,
        max_in_flight=engine.max_in_flight,
        failures=engine.failures,
    )
