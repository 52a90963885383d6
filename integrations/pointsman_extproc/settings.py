"""The settings of one external processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pointsman_client import ApiKind, IdentitySources

PATHS: Mapping[str, ApiKind] = {
    "/chat/completions": ApiKind.CHAT_COMPLETIONS,
    "/responses": ApiKind.RESPONSES,
    "/v1/messages": ApiKind.MESSAGES,
}
"""Path suffixes of the three APIs."""

_SECRET = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})


def checked_sources(sources: IdentitySources) -> IdentitySources:
    """Return the sources; `ValueError` where a header of them is blank or holds a credential."""
    for name in ("user", "session", "organization", "agent"):
        for header in getattr(sources, f"{name}_headers"):
            if not header or header in _SECRET:
                raise ValueError(f"{header!r} holds no id of a {name}")
    return sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one processor. `tiers` maps each tier, in lower case, to its static pick."""

    tiers: Mapping[str, str | None]
    candidates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The candidates of each tier; a tier without any has those of the policy file."""
    serves: bool = False
    """Put the chosen model into the request; otherwise the request passes as it came."""
    paths: Mapping[str, ApiKind] = field(default_factory=lambda: PATHS)
    """The ends of the paths of each API."""
    sources: IdentitySources = field(default_factory=IdentitySources)
    """The headers and the members of bodies that name users and sessions."""
    timeout: float = 0.25
    """Seconds that a request for a tier may wait, reading its body included."""
    most_bytes: int = 1024 * 1024
    """Bodies up to this length are decided for. No more than Envoy buffers, which is as much by
    default."""
    most_held_bytes: int = 256 * 1024 * 1024
    """Bytes of all bodies at once. A body of unknown length counts as one of `most_bytes`."""

    most_held_requests: int = 1_000
    """Requests whose bodies are here or on their way."""
    first_within: float = 10.0
    """Seconds in which the first message of a stream has to be there."""
    least_wait: float = 0.25
    """Seconds that a request may wait for its body before another one may take its place."""

    def __post_init__(self) -> None:
        checked_sources(self.sources)
        for tier, pick in self.tiers.items():
            if pick is not None and pick.strip().lower() in self.tiers:
                raise ValueError(f"the static pick of {tier!r} is a tier itself: {pick!r}")
