"""The server with a shared cache: its start, what it keeps there, switches for all replicas."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.caches import NEEDS_HASH_KEY
from pointsman_server.bootstrap.serve import serving
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.conversation_slot import load
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.settings import Settings
from pointsman_server.transport.fast_path.answer_codec import WireCodec
from support.eventually import eventually
from support.morph import ScriptedMorph
from support.ports import free_port
from support.redis_server import RealServer
from support.served import FRONTIER, Starter, policy_text, request

FLAG = "morph_router_enabled"


def rewrite(peer_policy: Path, **sections: Any) -> None:
    document = yaml.safe_load(peer_policy.read_text()) | sections
    peer_policy.write_text(yaml.safe_dump(document, sort_keys=False))


async def test_a_shared_cache_without_a_hash_key_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text(cache={"url": f"redis://127.0.0.1:{free_port()}"}))
    settings = Settings(
        listen="127.0.0.1:0", admin_listen="", metrics_listen="", policy_file=policy
    )
    with pytest.raises(PolicyInvalid) as refused:
        async with serving(settings, ambient=SystemResources(environment={})):
            pass
    assert [(p.path, p.message) for p in refused.value.problems] == [("cache.url", NEEDS_HASH_KEY)]


async def test_a_reload_to_a_shared_cache_without_a_hash_key_leaves_the_old_one(
    tmp_path: Path,
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text())
    settings = Settings(
        listen="127.0.0.1:0", admin_listen="", metrics_listen="", policy_file=policy
    )
    async with serving(settings, ambient=SystemResources(environment={})) as running:
        rewrite(policy, cache={"url": f"redis://127.0.0.1:{free_port()}"})
        assert not await running.watcher.reload()
        assert [p.path for p in running.watcher.state.last_problems] == ["cache.url"]
        assert running.runtime.rules.cache.url == "memory://"


async def test_a_server_starts_and_decides_without_its_shared_cache(start: Starter) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    peer = await start(policy=policy_text(cache={"url": url}))
    first, second = [await peer.decide(request()) for _ in range(2)]
    assert first.outcome == pb.OUTCOME_ROUTED
    assert second.decision.cached
    assert second.decision.model == first.decision.model


async def test_a_reload_takes_up_and_leaves_a_shared_cache(start: Starter) -> None:
    with RealServer() as one, RealServer() as other:
        peer = await start(policy=policy_text())
        policy = peer.running.watcher.path
        assert policy is not None
        for server in (one, other):
            rewrite(policy, cache={"url": server.url})
            assert await peer.running.watcher.reload()
            await peer.decide(request())
            assert server("DBSIZE") > 0
        connections = other("INFO", "stats")["total_connections_received"]
        rewrite(policy, cache={"url": other.url, "ttl": "1h"})
        assert await peer.running.watcher.reload()
        assert other("INFO", "stats")["total_connections_received"] == connections + 1
        rewrite(policy, cache={"url": "memory://"})
        assert await peer.running.watcher.reload()
        assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_nothing_that_a_caller_sent_lies_in_the_shared_cache(start: Starter) -> None:
    canaries = {
        "user_id": "canary-user",
        "session_id": "canary-session",
        "machine_id": "canary-machine",
        "organization_id": "canary-organisation",
    }
    with RealServer() as server:
        policy = policy_text(cache={"url": server.url}, organizations="local_only")
        peer = await start(policy=policy)
        asked = request("canary-prompt: sort 3, 1 and 2", caller=pb.Caller(**canaries))
        asked.prompt.system_prompt_prefix = "canary-system"
        await peer.decide(asked)
        names = sorted(server("KEYS", "*"))
        assert len(names) == 2  # the decision, and the model that the conversation is on
        for name in names:
            assert name.startswith(b"pointsman:3:")
            assert len(bytes.fromhex(name.decode().rpartition(":")[2])) == 15
            value = server("GET", name)
            raw = value[8:].partition(b" ")[2]
            slot, answer = load(raw), WireCodec().load(raw)
            assert (slot.routed if slot else answer.model) in FRONTIER
            assert b"canary" not in name + value
            assert 0 < server("PTTL", name) <= 1_800_000


async def test_what_was_damaged_in_the_shared_cache_is_decided_again_and_replaced(
    start: Starter,
) -> None:
    with RealServer() as server:
        policy = policy_text(cache={"url": server.url})
        first, second, third = [await start(policy=policy) for _ in range(3)]
        decided = await first.decide(request())
        found = {name: server("GET", name) for name in server("KEYS", "pointsman:3:*")}
        explained = [raw for raw in found.values() if decided.decision.explanation.encode() in raw]
        assert (len(found), len(explained)) == (2, 1)
        for name, raw in found.items():
            # A message as before, in which one letter of what stands last is another.
            server("SET", name, raw[:-1] + bytes([raw[-1] ^ 1]))
        again = await second.decide(request())
        assert not again.decision.cached
        assert again.decision == decided.decision
        assert (await third.decide(request())).decision.cached


async def test_a_switch_in_redis_is_flipped_once_for_all_replicas_and_is_off_when_unreadable(
    start: Starter,
) -> None:
    with RealServer() as server:
        async with ScriptedMorph() as morph:
            policy = policy_text(
                stickiness="exact",
                engines={"order": ["morph", "local"], "morph": {"url": morph.url}},
                flags={"sources": ["redis"], "memory": 0},
                cache={"url": server.url},
            )
            environment = {"MORPH_API_KEY": "key"}
            peers = [await start(policy=policy, environment=environment) for _ in range(2)]

            async def sources() -> set[int]:
                answers = await asyncio.gather(*(peer.decide(request()) for peer in peers))
                return {answer.decision.source for answer in answers}

            assert await sources() == {pb.SOURCE_LOCAL}
            server("SET", f"pointsman:{FLAG}", "true")
            assert await sources() == {pb.SOURCE_MORPH}
            server("SET", f"pointsman:{FLAG}", "yes")
            assert await sources() == {pb.SOURCE_LOCAL}
            server("SET", f"pointsman:{FLAG}", "true")
            server.kill()
            assert await sources() == {pb.SOURCE_LOCAL}
            server.start()
            server("SET", f"pointsman:{FLAG}", "true")

            async def on_again() -> bool:
                return await sources() == {pb.SOURCE_MORPH}

            await eventually(on_again)


async def test_a_switch_is_remembered_for_its_time(start: Starter) -> None:
    with RealServer() as server:
        peer = await start(
            policy=policy_text(
                flags={"sources": ["redis", "policy_file"], FLAG: True},
                engines={"order": ["morph"]},
                cache={"url": server.url},
            )
        )
        server("SET", f"pointsman:{FLAG}", "false")
        assert (await peer.decide(request())).reason == pb.REASON_FLAG_OFF
        server("SET", f"pointsman:{FLAG}", "true")
        assert (await peer.decide(request())).reason == pb.REASON_FLAG_OFF
