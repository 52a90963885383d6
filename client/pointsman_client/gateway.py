"""Steps of a gateway before a call: recognise a tier, plan a mirrored request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Unpack

from pointsman_client.bodies.identity import Identity
from pointsman_client.bodies.ids import usable_id
from pointsman_client.bodies.normalise import read_body
from pointsman_client.errors import UnusableBody
from pointsman_client.model import ApiKind, NormalisedPrompt, RouteRequest, Routing
from pointsman_client.request_builder import RequestFields, build_request
from pointsman_client.served_models import ConversationKey, Served, ServedModels, conversation_key

__all__ = [
    "MirrorPlan",
    "MirrorSkip",
    "TierRequest",
    "plan_mirror",
    "routing_from",
    "tier_request",
    "usable_id",
]

_ANONYMOUS = "anonymous"
"""The user of requests that name none."""


class MirrorSkip(StrEnum):
    """The reason why a request is not mirrored."""

    NOT_CONFIGURED = "not_configured"
    ORGANIZATION = "organization"
    UNUSABLE_BODY = "unusable_body"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlan:
    """The request to mirror, or why there is none. Exactly one of `request` and `skip` is set."""

    request: RouteRequest | None = None
    skip: MirrorSkip | None = None

    @property
    def mirrored(self) -> bool:
        """Whether there is a request to mirror."""
        return self.request is not None


def routing_from(
    requested_model: str,
    *,
    tiers: Mapping[str, Sequence[str]],
    static_pick: str | None = None,
) -> Routing | None:
    """Return the routing context of a request for a tier; `None` for one for a concrete model.

    `tiers` maps each tier, in lower case, to its candidates in the order of preference; without
    any, the service uses those of its policy file. `requested_model` is the client's value, in
    any case and with any blanks around it. `static_pick` is the model that the gateway's own
    rules chose, after every override.
    """
    tier = requested_model.strip().lower()
    candidates = tiers.get(tier)
    if candidates is None:
        return None
    return Routing(tier=tier, candidates=tuple(candidates), static_pick=static_pick)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRequest:
    """A client's request for a tier, in terms of the service."""

    fields: RequestFields
    """Arguments of `decide` and `mirror`, without candidates and static pick."""
    key: ConversationKey | None
    """The conversation, for `ServedModels.note`; `None` if nothing identifies it."""
    last: Served | None
    """The model that the conversation got last."""


def tier_request(
    identity: Identity,
    *,
    tier: str,
    prompt: NormalisedPrompt,
    served: ServedModels,
    side: bool = False,
) -> TierRequest:
    """Describe a request for a tier.

    A `side` request (counting tokens, compacting) is no turn of its conversation: the service
    answers with the model that it knows, and remembers nothing.
    """
    user = identity.user_id or _ANONYMOUS
    key = conversation_key(identity, user_id=user, tier=tier, prompt=prompt)
    last = served.last(key)
    fields = RequestFields(
        user_id=user,
        session_id=identity.session_id,
        agent_id=identity.agent_id,
        organization_id=identity.organization_id,
        tier=tier,
        requested_model=tier,
    )
    if last is not None and last.unknown_to_service:
        # Only a model that the service cannot know: another process may have served since.
        fields["incumbent_model"] = last.model
    if side:
        fields |= RequestFields(dry_run=True, max_output_tokens=1)
    return TierRequest(fields=fields, key=key, last=last)


def plan_mirror(
    body: object,
    api_kind: ApiKind | str,
    *,
    routing: Routing | None,
    service_configured: bool = True,
    mirror_organizations: bool = False,
    **fields: Unpack[RequestFields],
) -> MirrorPlan:
    """Plan the call of `RoutingClient.mirror` for one body.

    An opt-out of data collection does not stop the mirroring: the request carries it, and the
    service decides with its embedded engine. Requests of organisations are skipped unless
    `mirror_organizations` is set; the service applies its own rule to those it gets.
    """
    if not service_configured:
        return MirrorPlan(skip=MirrorSkip.NOT_CONFIGURED)
    if fields.get("organization_id") and not mirror_organizations:
        return MirrorPlan(skip=MirrorSkip.ORGANIZATION)
    try:
        prompt = read_body(body, api_kind)
    except UnusableBody:
        return MirrorPlan(skip=MirrorSkip.UNUSABLE_BODY)
    if routing is not None:
        fields["tier"] = routing.tier
        fields["candidates"] = routing.candidates
        fields["static_pick"] = routing.static_pick
    return MirrorPlan(request=build_request(prompt, api_kind=None, fields=fields))
