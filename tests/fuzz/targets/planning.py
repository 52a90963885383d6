"""Requests in front of `pointsman_http`: none for a tier, or the same body with another model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from pointsman_http.planning import Planner

from fuzz.targets.target import DATA, Target, plain

TIER, PICK = "kilo-auto/frontier", "vendor/static"
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages/count_tokens", "/v1/embeddings")
HEADERS = {"x-session-id": "task-1"}


def read(data: bytes) -> None:
    planner = Planner({TIER: PICK})
    for path in PATHS:
        plan = planner.plan(data, path=path, headers=HEADERS)
        if plan is None:
            continue
        with contextlib.suppress(ValueError):  # numbers that JSON cannot hold again
            changed = json.loads(plan.body_for(PICK))
            assert changed.pop("model") == PICK
            before = json.loads(data)
            before.pop("model")
            assert json.dumps(changed) == json.dumps(before)


def seeds() -> Iterator[bytes]:
    for case in json.loads((DATA / "agent_bodies.json").read_text())["bodies"]:
        yield json.dumps(case["body"] | {"model": TIER}).encode()
    yield b'{"metadata": {"model": "%s"}, "model":"%s", "n": 1.50}' % (TIER.encode(), TIER.encode())
    yield (
        b'{"model": "a", "mod\\u0065l": "%s", "x": "\\"model\\": \\"b\\"", "n": 1e999}'
        % TIER.encode()
    )


TARGET = Target(opened=plain(read), seeds=seeds)
