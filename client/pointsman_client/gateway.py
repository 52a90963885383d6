"""What a gateway settles before it asks: whether it is for a tier, and is to be mirrored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Unpack

from pointsman_client.bodies.normalise import read_body
from pointsman_client.errors import UnusableBody
from pointsman_client.model import ApiKind, RouteRequest, Routing
from pointsman_client.request_builder import RequestFields, build_request

_ID_CHARACTERS = 256
"""What the contract allows an id."""


class MirrorSkip(StrEnum):
    """Why a request is not mirrored."""

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
    """The routing context of a request for a tier; `None` when a concrete model was asked for.

    `tiers` maps each tier, in lower case, to its candidates in the order of preference (it may
    have none: then the service's own hold). `requested_model` is what the client sent, in any
    case and with any blanks around it. `static_pick` is the model that the gateway's own rules
    chose at last, after every override.
    """
    tier = requested_model.strip().lower()
    candidates = tiers.get(tier)
    if candidates is None:
        return None
    return Routing(tier=tier, candidates=tuple(candidates), static_pick=static_pick)


def plan_mirror(
    body: object,
    api_kind: ApiKind | str,
    *,
    routing: Routing | None,
    service_configured: bool = True,
    mirror_organizations: bool = False,
    **fields: Unpack[RequestFields],
) -> MirrorPlan:
    """What to hand to `RoutingClient.mirror` for one body, if anything.

    An opt-out of data collection does not stop the mirroring: the request says so, and the
    service keeps the prompt to its embedded engines. Requests of organisations are left out
    unless `mirror_organizations`; the service itself applies its own rule to those it gets.
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


def usable_id(value: object) -> str | None:
    """`value` as an id that the service takes, without blanks around it; `None` if it is none.

    For ids that come from outside, a header for instance: the service refuses a request for a
    blank id or one of more than 256 characters.
    """
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= _ID_CHARACTERS else None
