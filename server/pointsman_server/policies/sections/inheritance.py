"""Inheritance of profiles from `llm`, except credentials of another provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pointsman_server.core.routes import Profile
from pointsman_server.policies.env_references import CREDENTIAL_KEYS, REFERENCE, is_credential
from pointsman_server.policies.sections.profiles import ProfileSection

_OWN = ("provider", "model", "endpoint", "api_key")
"""Keys that are attributes of `Profile`; all others are its parameters."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """A profile's settings with those of `llm` below them."""

    settings: Mapping[str, Any]
    lost: tuple[str, ...]
    """Credentials of `llm` that this profile would have inherited, and may not."""
    moved: tuple[str, ...]
    """The keys that change the provider: `provider`, `endpoint`."""
    own: frozenset[str]
    """The keys that the profile itself sets."""


def inherited(profile: ProfileSection, *, base: ProfileSection) -> Inherited:
    """The settings of `profile` over those of `base`; nested mappings are merged key by key."""
    above, own = base.settings(), profile.settings()
    moved = tuple(k for k in ("provider", "endpoint") if k in own and own[k] != above.get(k))
    lost: list[str] = []
    if moved:
        above = _without_credentials(above, lost)
    merged = {
        key: {**above.get(key, {}), **own.get(key, {})}
        if isinstance(own.get(key, above.get(key)), dict)
        else own.get(key, above.get(key))
        for key in above | own
    }
    kept = {f"{k}.{n}" if n else k for k, n in _leaves(own)}
    gone = tuple(name for name in lost if name not in kept)
    return Inherited(merged, gone, moved, frozenset(own))


def to_profile(name: str, settings: Mapping[str, Any]) -> Profile:
    """The core value; `settings` has `provider` and `model`."""
    key = REFERENCE.fullmatch(settings.get("api_key", ""))
    parameters = {k: v for k, v in settings.items() if k not in (*_OWN, "parameters") and v != {}}
    return Profile(
        name=name,
        provider=settings["provider"],
        model=settings["model"],
        endpoint=settings.get("endpoint"),
        parameters=MappingProxyType({**settings.get("parameters", {}), **parameters}),
        credential_ref=f"env:{key[1]}" if key else None,
    )


def _without_credentials(settings: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
    """`settings` less the credentials, whose names go to `lost`."""
    rest: dict[str, Any] = {}
    for key, value in settings.items():
        if key in CREDENTIAL_KEYS:
            lost.append(key)
        elif isinstance(value, dict):
            secret = [n for n in value if is_credential((key, n))]
            lost += (f"{key}.{n}" for n in secret)
            rest[key] = {n: v for n, v in value.items() if n not in secret}
        else:
            rest[key] = value
    return rest


def _leaves(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from ((key, name) for name in value)
        else:
            yield key, ""
