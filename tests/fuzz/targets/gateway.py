"""Bodies and paths that Envoy sends to its processor: each is read, salvaged or refused.

The first byte chooses a path and an encoding; the rest is the body.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from pointsman_client import Identity
from pointsman_extproc.encodings import Encoding, TooLong, expanded
from pointsman_extproc.head import Head
from pointsman_extproc.paths import read_path
from pointsman_extproc.reading import Question, is_tier, read
from pointsman_extproc.settings import PATHS, Settings
from pointsman_extproc.unread import cut_off, salvaged

from fuzz.targets.target import DATA, Target, plain

TIER = "a/tier"
SETTINGS = Settings(tiers={TIER: "v/pick"}, serves=True)
WAYS = (
    "/v1/chat/completions",
    "/responses/compact?x=1",
    "/v1/messages",
    "/v1beta/models/a%2Ftier:generateContent",
    "/openai/deployments/a/tier/chat/completions",
    "/v1/embeddings",
)
ENCODINGS = (Encoding.IDENTITY, Encoding.GZIP, Encoding.DEFLATE)


def read_body(data: bytes) -> None:
    first = data[0] if data else 0
    raw = data[1:]
    target = read_path(WAYS[first % len(WAYS)], ends=PATHS)
    encoding = ENCODINGS[first // len(WAYS) % len(ENCODINGS)]
    head = Head(target=target, identity=Identity(), encoding=encoding)
    asyncio.run(_read(head, raw))


async def _read(head: Head, raw: bytes) -> None:
    cut_off(head, raw, settings=SETTINGS)
    try:
        body = await expanded(raw, encoding=head.encoding, most=65_536)
    except (TooLong, ValueError):
        return
    reading = read(body, Question(target=head.target, tiers=frozenset({TIER})))
    if reading is not None:
        if is_tier(reading.model, {TIER}) and reading.in_body:
            served = json.loads(b"".join(reading.with_model(body, "v/other")))
            assert served["model"] == "v/other"
        return
    verdict = await salvaged(head, body, why="unreadable", settings=SETTINGS)
    if verdict.body is not None:
        changed = b"".join(verdict.body)
        again = await salvaged(head, changed, why="unreadable", settings=SETTINGS)
        assert again.body is None or b"".join(again.body) == changed


def seeds() -> Iterator[bytes]:
    for case in json.loads((DATA / "agent_bodies.json").read_text())["bodies"]:
        for way in (b"\x00", b"\x02"):
            yield way + json.dumps({**case["body"], "model": TIER}).encode()
    yield b'\x00{"model": "a/tier", "model": "A/Tier"}'
    yield rb'\x03{"mod\u0065l": "a\/tier", "contents": ['
    yield b'\x03{"contents": [{"parts": [{"text": "Why?"}]}]}'


TARGET = Target(opened=plain(read_body), seeds=seeds)
