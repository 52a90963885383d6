"""How requests are read and what is done with them: the settings of one external processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_client import ApiKind

PATHS: Mapping[str, ApiKind] = {
    "/chat/completions": ApiKind.CHAT_COMPLETIONS,
    "/v1/responses": ApiKind.RESPONSES,
    "/v1/messages": ApiKind.MESSAGES,
}
"""How the paths of the three APIs end."""

_SECRET = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHeaders:
    """The names of the headers that say who asks, in lower case. Credentials are refused."""

    user: str = "x-user-id"
    session: str = "x-session-id"
    organization: str = "x-organization-id"

    def __post_init__(self) -> None:
        for name in ("user", "session", "organization"):
            header = getattr(self, name).strip().lower()
            if not header or header in _SECRET:
                raise ValueError(f"{header!r} holds no id of a {name}")
            object.__setattr__(self, name, header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one processor does. `tiers` maps each tier, in lower case, to its static pick if any."""

    tiers: Mapping[str, str | None]
    serves: bool = False
    """Put the chosen model into the request; otherwise the request passes as it came."""
    paths: Mapping[str, ApiKind] = field(default_factory=lambda: PATHS)
    """The ends of the paths that are looked at, each with its API."""
    headers: CallerHeaders = field(default_factory=CallerHeaders)
    most_bytes: int = 1024 * 1024
    """A longer body passes as it came. No more than Envoy buffers, which is as much by default:
    Envoy would refuse what it cannot buffer."""
    most_held_bytes: int = 256 * 1024 * 1024
    """Of all bodies at once; those above pass as they came. A body of unknown length counts as one
    of `most_bytes`."""
