"""Find errors between the keys of `llm`: missing profiles, contradictory routes.

Like `crosscheck`, it runs on the parsed YAML, so that all errors are reported together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pointsman_server.core.routes import DEFAULT_PROFILE, PURPOSES
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, meant, named, shown
from pointsman_server.policies.yaml_tree import mapping_in

_TARGETS = ("profile", "candidates", "tier")
"""A route names exactly one of these, or none for the profile `default`."""

_NEEDED = ("provider", "model")


def llm_faults(document: object) -> Iterator[Diagnostic]:
    """Everything wrong between the keys of `llm`."""
    llm = mapping_in(document, "llm")
    own, purposes = mapping_in(llm, "profiles"), llm.get("purposes")
    yield from _profiles(llm, own)
    known = (*PURPOSES, *(purposes if isinstance(purposes, list) else ()))
    has_default = all(llm.get(key) for key in _NEEDED)
    names = (*((DEFAULT_PROFILE,) if has_default else ()), *own)
    for purpose, route in mapping_in(llm, "routes").items():
        path: KeyPath = ("llm", "routes", purpose)
        if purpose not in known:
            hint = meant(purpose, [k for k in known if isinstance(k, str)])
            message = f"unknown purpose `{shown(purpose)}`"
            yield Diagnostic(path, f"{message}{hint or '; declare further ones in `llm.purposes`'}")
        yield from _route(route, path, names)
        yield from _tier(route, path, mapping_in(document, "tiers"))


def _profiles(llm: Mapping[str, object], own: Mapping[str, object]) -> Iterator[Diagnostic]:
    if DEFAULT_PROFILE in own:
        message = "is reserved: the profile `default` is what stands directly under `llm`"
        yield Diagnostic(("llm", "profiles", DEFAULT_PROFILE), message)
    for name, profile in own.items():
        if name == DEFAULT_PROFILE or not (profile is None or isinstance(profile, dict)):
            continue
        lacking = [key for key in _NEEDED if not (profile or {}).get(key) and not llm.get(key)]
        if lacking:
            message = f"has no {named(lacking)}, and neither has `llm`"
            yield Diagnostic(("llm", "profiles", name), message)


def _route(route: object, path: KeyPath, names: tuple[str, ...]) -> Iterator[Diagnostic]:
    if isinstance(route, str):
        yield from _missing(route, path, names)
    if not (route is None or isinstance(route, dict)):
        return
    route = route or {}
    targets = [key for key in _TARGETS if route.get(key) is not None]
    if len(targets) > 1:
        yield Diagnostic(path, f"has {' and '.join(f'`{key}`' for key in targets)}: one of them")
    if not targets:
        yield from _missing(DEFAULT_PROFILE, path, names)
    yield from _missing(route.get("profile"), (*path, "profile"), names)
    yield from _candidates(route.get("candidates"), (*path, "candidates"), names)
    further = route.get("fallback_profiles")
    for at, name in enumerate(further if isinstance(further, list) else ()):
        yield from _missing(name, (*path, "fallback_profiles", at), names)


def _candidates(candidates: object, path: KeyPath, names: tuple[str, ...]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for at, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
        profile = candidate.get("profile") if isinstance(candidate, dict) else None
        if not isinstance(profile, str):
            continue
        if profile in seen:
            yield Diagnostic((*path, at, "profile"), f"`{shown(profile)}` is a candidate twice")
        seen.add(profile)
        yield from _missing(profile, (*path, at, "profile"), names)


def _missing(name: object, path: KeyPath, names: Iterable[str]) -> Iterator[Diagnostic]:
    if not isinstance(name, str) or name in names:
        return
    if name == DEFAULT_PROFILE:
        message = "there is no profile `default`: `llm` lacks `provider` or `model`"
        yield Diagnostic(path, message)
    else:
        yield Diagnostic(path, f"there is no profile `{shown(name)}`{meant(name, names)}")


def _tier(route: object, path: KeyPath, tiers: Mapping[str, object]) -> Iterator[Diagnostic]:
    tier = route.get("tier") if isinstance(route, dict) else None
    if isinstance(tier, str) and tier not in tiers:
        yield Diagnostic((*path, "tier"), f"there is no tier `{shown(tier)}`{meant(tier, tiers)}")
