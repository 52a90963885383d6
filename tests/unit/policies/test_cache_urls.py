"""`cache.url`: what is taken, and what of it travels in the clear."""

from __future__ import annotations

import pytest
from pointsman_server.policies.schema import parse

POLICY = """
tiers: {kilo-auto/small: {policy: balanced, candidates: [acme/a, acme/b]}}
catalog: {acme/a: {router_id: a}, acme/b: {router_id: b}}
cache: {url: "%s"}
"""
TAKEN = {
    "memory://": "memory://",
    "redis://localhost": "redis://localhost",
    "REDIS://127.0.0.1:6379/15": "redis://127.0.0.1:6379/15",
    "redis://[::1]:6379/": "redis://[::1]:6379/",
    "rediss://cache.internal:6380/0": "rediss://cache.internal:6380/0",
    "redis+sentinel://localhost:26379/primary": "redis+sentinel://localhost:26379/primary",
    "redis+sentinel://127.0.0.1,[::1]:7000/my-primary/3": (
        "redis+sentinel://127.0.0.1,[::1]:7000/my-primary/3"
    ),
}


@pytest.mark.parametrize(("written", "kept"), TAKEN.items())
def test_an_address_is_kept_with_its_scheme_in_small_letters(written, kept):
    loaded = parse((POLICY % written).encode())
    assert loaded.policy_file.cache.url == kept
    assert [w for w in loaded.warnings if w.path == "cache.url"] == []


@pytest.mark.parametrize(
    ("url", "shared"), [("memory://", False), ("redis://localhost", True), ("rediss://a", True)]
)
def test_only_memory_is_not_shared(url, shared):
    assert parse((POLICY % url).encode()).policy_file.cache.shared is shared
