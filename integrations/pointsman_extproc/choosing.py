"""From one request to what becomes of it: the model to serve, if any, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from pointsman_client import Routing, RoutingClient, in_trace_of, routing_from, usable_id

from pointsman_extproc.body import RequestBody, read_body
from pointsman_extproc.head import Head
from pointsman_extproc.settings import Settings

ANONYMOUS = "anonymous"


class Passed(StrEnum):
    """Why a request passes as it came, besides what the client's `Choice.why` says."""

    CONCRETE = "concrete"
    """It asks for a model, not for a tier."""
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    """So many bodies are here that this one would be too much."""
    MIRRORED = "mirrored"
    """Shadow: the question is asked beside it."""
    DROPPED = "dropped"
    """Shadow: too many questions wait already."""
    FAULT = "fault"
    """A bug in the processor; its log has the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a request. Without a `body` it passes as it came."""

    why: str
    model: str = ""
    body: bytes | None = None


class _Asked(TypedDict):
    user_id: str
    session_id: str | None
    organization_id: str | None
    client_request_id: str | None
    tier: str
    static_pick: str | None
    requested_model: str
    body_bytes: int


class Chooser:
    """Asks Pointsman about requests for a tier."""

    def __init__(self, routing: RoutingClient, *, settings: Settings) -> None:
        self._routing = routing
        self._settings = settings
        # No candidates of its own: those that the policy file names for the tier hold.
        self._tiers: Mapping[str, tuple[str, ...]] = dict.fromkeys(settings.tiers, ())

    async def choose(self, head: Head, raw: bytes) -> Verdict:
        """The verdict on one whole body. What goes wrong at Pointsman is a `why`, no error."""
        body = read_body(raw)
        if body is None:
            return Verdict(why=Passed.UNREADABLE)
        routing = routing_from(body.model, tiers=self._tiers)
        if routing is None:
            return Verdict(why=Passed.CONCRETE)
        asked = self._asked(head, body=body, routing=routing, body_bytes=len(raw))
        with in_trace_of(head.trace):
            if not self._settings.serves:
                taken = self._routing.mirror(body.document, api_kind=head.kind, **asked)
                return Verdict(why=Passed.MIRRORED if taken else Passed.DROPPED)
            choice = await self._routing.decide(body.document, api_kind=head.kind, **asked)
        if not choice.model:
            return Verdict(why=choice.why)
        return Verdict(why=choice.why, model=choice.model, body=body.with_model(choice.model))

    def _asked(self, head: Head, *, body: RequestBody, routing: Routing, body_bytes: int) -> _Asked:
        return _Asked(
            user_id=head.user_id or _user_of(body.document) or ANONYMOUS,
            session_id=head.session_id,
            organization_id=head.organization_id,
            client_request_id=head.client_request_id,
            tier=routing.tier,
            static_pick=self._settings.tiers[routing.tier],
            requested_model=routing.tier,
            body_bytes=body_bytes,
        )


def _user_of(document: Mapping[str, object]) -> str | None:
    """The user that the body names: OpenAI's `user`, Anthropic's `metadata.user_id`."""
    metadata = document.get("metadata")
    named = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    return usable_id(document.get("user")) or usable_id(named)
