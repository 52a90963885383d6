"""Warnings about a policy file without faults: settings that are rarely meant."""

from __future__ import annotations

from collections.abc import Iterator

from pointsman_server.core.engine_rules import RemoteRules
from pointsman_server.core.model import Organizations, Source
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.catalog_advice import catalog_advice
from pointsman_server.policies.diagnostics import Diagnostic, named, shown
from pointsman_server.policies.sections.cache_urls import is_plain_redis_abroad
from pointsman_server.policies.sections.urls import is_plain_http_abroad

_ROUTABLE = 2
"""The fewest candidates that a decision can be made between."""


def advice(policy: PolicyFile) -> Iterator[Diagnostic]:
    """Find suspicious settings in a valid file."""
    yield from _share(policy)
    yield from _catalog(policy)
    yield from catalog_advice(policy)
    yield from _tiers(policy)
    yield from _remote_engines(policy)
    yield from _switches(policy)
    yield from _service(policy)


def _share(policy: PolicyFile) -> Iterator[Diagnostic]:
    percent = policy.serve_percent
    if 0 < percent < 1:
        message = f"is {percent:g} percent; for a share of {percent:g} write {100 * percent:g}"
        yield Diagnostic(("serve_percent",), message)


def _catalog(policy: PolicyFile) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for public_id, model in policy.catalog.items():
        if model.router_id is None:
            continue
        other = first.setdefault(model.router_id, public_id)
        if other != public_id:
            message = (
                f"has the router id of `{shown(other)}`; of several in one request"
                " only the one named first is a candidate"
            )
            yield Diagnostic(("catalog", public_id, "router_id"), message)


def _tiers(policy: PolicyFile) -> Iterator[Diagnostic]:
    for name, tier in policy.tiers.items():
        path = ("tiers", name, "candidates")
        if not tier.default_candidates:
            yield Diagnostic(path, "is empty: requests that name no candidates are skipped")
            continue
        models = [policy.catalog[i] for i in tier.default_candidates]
        idle = [m.public_id for m in models if m.router_id is None or m.experimental]
        if idle:
            message = f"names models without router id or experimental: {named(idle)}"
            yield Diagnostic(path, message)
        routable = {m.router_id for m in models if m.public_id not in idle}
        if len(routable) < _ROUTABLE:
            message = "has fewer than two routable models: requests that name none are skipped"
            yield Diagnostic(path, message)


def _remote_engines(policy: PolicyFile) -> Iterator[Diagnostic]:
    names = dict.fromkeys((*policy.engines, policy.classify_engine))
    called = [name for name in names if name is not None]
    for name in called:
        source = policy.source_of(name)
        if source is Source.MORPH:
            yield from _remote(("engines", "morph"), policy.morph, key="engine `morph` has no key")
        elif source is Source.DECISION_MODEL:
            rules = policy.decision_models[name]
            key = "a third party is called without a key" if rules.third_party else None
            yield from _remote(("engines", "decision_models", name), rules, key=key)
    outside = [name for name in called if policy.is_third_party(name)]
    if policy.organizations is Organizations.ALLOWED and outside:
        message = f"lets prompts of organisations go to a third party's engine, {named(outside)}"
        yield Diagnostic(("organizations",), message)
    for name in policy.decision_models.keys() - names.keys():
        message = "is not called: neither `engines.order` nor `classification.engine` names it"
        yield Diagnostic(("engines", "decision_models", name), message)


def _remote(path: tuple[str, ...], rules: RemoteRules, *, key: str | None) -> Iterator[Diagnostic]:
    """`key`: what follows where there is none; `None`: the engine needs none."""
    if is_plain_http_abroad(rules.url):
        message = "is plain http to another machine: prompts and the key travel in the clear"
        yield Diagnostic((*path, "url"), message)
    if key is not None and rules.key_env is None and rules.key_file is None:
        yield Diagnostic(path, f"has neither `key_env` nor `key_file`: {key}")


def _switches(policy: PolicyFile) -> Iterator[Diagnostic]:
    values = policy.flags.values
    for switch in ("morph_router_enabled", "decision_model_enabled"):
        enabled = values.get(switch)
        if enabled is not None and enabled.strip() not in {"true", "false"}:
            message = "is neither `true` nor `false`; it counts as off"
            yield Diagnostic(("flags", switch), message)
    rate = values.get("decision_log_sample_rate")
    if rate is not None and not _is_share(rate):
        message = "is not a number from 0 to 1; 0.01 holds"
        yield Diagnostic(("flags", "decision_log_sample_rate"), message)
    if values and "policy_file" not in policy.flags.sources:
        message = f"leaves out `policy_file`, so that this file's {named(values)} is not read"
        yield Diagnostic(("flags", "sources"), message)


def _service(policy: PolicyFile) -> Iterator[Diagnostic]:
    if policy.cache.fallback_ttl > policy.cache.ttl:
        message = "is longer than `ttl`: decisions made in trouble outlive the others"
        yield Diagnostic(("cache", "fallback_ttl"), message)
    if is_plain_redis_abroad(policy.cache.url):
        message = "is plain to another machine: decisions and the password travel in the clear"
        yield Diagnostic(("cache", "url"), message)
    if policy.cache.username and not (policy.cache.password_env or policy.cache.password_file):
        message = "has no password: set `password_env` or `password_file`"
        yield Diagnostic(("cache", "username"), message)
    if not policy.log.stdout and policy.log.file is None:
        yield Diagnostic(
            ("decision_log",), "has neither `stdout` nor `file`: decisions are not logged"
        )


def _is_share(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False
