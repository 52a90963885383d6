"""The contract of `DecisionCache`, kept by the two levels over a real Redis and a real Valkey."""

from __future__ import annotations

import os

import pytest
from contract.test_decision_cache import (
    test_adding_keeps_where_there_is_nothing,
    test_adding_leaves_and_gives_what_is_there,
    test_closing_twice_does_no_harm,
    test_of_many_that_add_at_once_one_wins_and_all_others_learn_of_it,
    test_putting_replaces,
    test_what_was_not_put_is_not_there,
    test_what_was_put_is_there_under_its_own_key_only,
)
from contract.test_switch_source import NAME
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.flags import RedisSource
from support.eventually import eventually
from support.redis_server import KINDS, RealServer
from support.shared_cache import Replica

__all__ = [
    "test_adding_keeps_where_there_is_nothing",
    "test_adding_leaves_and_gives_what_is_there",
    "test_closing_twice_does_no_harm",
    "test_of_many_that_add_at_once_one_wins_and_all_others_learn_of_it",
    "test_putting_replaces",
    "test_what_was_not_put_is_not_there",
    "test_what_was_put_is_there_under_its_own_key_only",
]

KEY = b"k" * 16


@pytest.fixture(params=KINDS, scope="module")
def server(request):
    with RealServer(request.param) as running:
        yield running


@pytest.fixture(params=[0.0, 60.0], ids=["asks always", "trusts its copy"])
async def replica(server, request):
    server("FLUSHALL")
    async with Replica(server.url, recheck=request.param) as replica:
        yield replica


@pytest.fixture
def cache(replica):
    return replica.cache


async def test_any_bytes_come_back_as_they_were(server):
    values = [b"", b"\x00\xff\r\n", b"123 ", " \u2028é".encode(), os.urandom(100_000)]
    async with Replica(server.url) as writer, Replica(server.url) as reader:
        for number, value in enumerate(values):
            key = bytes([number]) * 16
            await writer.cache.put(key, value, ttl=60.0)
            assert await reader.cache.get(key) == value


@pytest.mark.parametrize("write", ["put", "add"])
async def test_a_value_ends_with_its_lifetime_here_and_there(server, cache, write):
    await getattr(cache, write)(KEY, b"value", ttl=0.2)
    assert await cache.get(KEY) == b"value"
    [name] = server("KEYS", "*")
    assert 0 < server("PTTL", name) <= 200
    await eventually(lambda: not server("EXISTS", name))
    assert await cache.get(KEY) is None


async def test_adding_in_vain_does_not_prolong_what_is_there(server, cache):
    await cache.put(KEY, b"first", ttl=10.0)
    await cache.add(KEY, b"second", ttl=1_000.0)
    [name] = server("KEYS", "*")
    assert server("PTTL", name) <= 10_000


async def test_a_switch_is_what_an_operator_set(server, replica):
    source = RedisSource(replica.store.text)
    assert await source.read(NAME) is None
    for text in ["true", " true\n", "", "0.5", "é\u2028"]:
        server("SET", f"pointsman:{NAME}", text)
        assert await source.read(NAME) == text


async def test_a_switch_in_a_store_that_is_not_asked_is_unreadable(replica):
    await replica.store.aclose()
    with pytest.raises(SourceUnreadable):
        await RedisSource(replica.store.text).read(NAME)
