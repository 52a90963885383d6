"""The parts of a shared store that need no server: gathering, resting, forms, addresses."""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.cache.redis import batch_loader as lookups
from pointsman_server.cache.redis.availability import FAILURES, AvailabilityMonitor
from pointsman_server.cache.redis.batch_loader import BatchLoader
from pointsman_server.cache.redis.client import RedisAddress, parse_address
from pointsman_server.cache.redis.errors import CacheUnavailable, InvalidAnswer, stage_of
from pointsman_server.cache.redis.sealed_entry import BROKEN, CacheEntry, EntrySigner
from redis import exceptions as redis
from support.fakes import settle


class Asked:
    """Answers each key with itself; while `gate` is closed, commands wait."""

    def __init__(self) -> None:
        self.commands: list[list[bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: BaseException | None = None

    async def __call__(self, keys, _since):
        self.commands.append(list(keys))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return list(keys)


async def test_lookups_of_one_turn_leave_as_one_command_and_each_gets_its_own():
    asked = Asked()
    gathered = BatchLoader(asked, at_once=1)
    keys = [b"%d" % n for n in range(100)]
    assert await asyncio.gather(*map(gathered.get, keys)) == keys
    assert asked.commands == [keys]


async def test_keys_that_find_all_connections_taken_wait_together():
    asked = Asked()
    asked.gate.clear()
    gathered = BatchLoader(asked, at_once=2)
    tasks = []
    for key in [b"a", b"b", b"c", b"d"]:
        tasks.append(asyncio.create_task(gathered.get(key)))
        await settle()
    assert asked.commands == [[b"a"], [b"b"]]
    asked.gate.set()
    assert await asyncio.gather(*tasks) == [b"a", b"b", b"c", b"d"]
    assert asked.commands == [[b"a"], [b"b"], [b"c", b"d"]]


async def test_a_command_has_a_bounded_number_of_keys(monkeypatch):
    monkeypatch.setattr(lookups, "MOST_KEYS", 3)
    asked = Asked()
    gathered = BatchLoader(asked, at_once=1)
    keys = [b"%d" % n for n in range(8)]
    assert await asyncio.gather(*map(gathered.get, keys)) == keys
    assert [len(command) for command in asked.commands] == [3, 3, 2]


async def test_a_caller_who_leaves_takes_nobody_along():
    asked = Asked()
    asked.gate.clear()
    gathered = BatchLoader(asked, at_once=1)
    leaving, staying = (asyncio.create_task(gathered.get(key)) for key in (b"a", b"b"))
    await settle()
    leaving.cancel()
    asked.gate.set()
    assert await staying == b"b"
    assert leaving.cancelled() or leaving.cancelling()


async def test_a_failure_reaches_each_caller_as_its_own():
    asked = Asked()
    asked.error = CacheUnavailable("timeout")
    gathered = BatchLoader(asked, at_once=1)
    found = await asyncio.gather(*map(gathered.get, [b"a", b"b", b"c"]), return_exceptions=True)
    assert [error.stage for error in found] == ["timeout"] * 3
    assert len({id(error) for error in found}) == 3
    asked.error = None
    assert await gathered.get(b"a") == b"a"


async def test_closing_lets_nobody_wait():
    asked = Asked()
    asked.gate.clear()
    gathered = BatchLoader(asked, at_once=1)
    tasks = [asyncio.create_task(gathered.get(b"a"))]
    await settle()
    tasks.append(asyncio.create_task(gathered.get(b"b")))
    await settle()
    await gathered.aclose()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in found] == ["closed", "closed"]


class Resting:
    """A rest whose probe fails until told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.trouble: str | None = "unreachable"
        self.reachable: list[bool] = []
        self.probes = 0
        self.rest = AvailabilityMonitor(
            probe=self.probe,
            now=lambda: self.now,
            on_reachable=self.reachable.append,
            pause=0.0,
        )

    async def probe(self) -> str | None:
        self.probes += 1
        return self.trouble

    def fail(self, *, began: float | None = None, **how: bool) -> None:
        self.now += 1.0
        self.rest.failed("timeout", began=self.now if began is None else began, **how)


async def test_failures_one_after_the_other_begin_a_rest():
    resting = Resting()
    for _ in range(FAILURES - 1):
        resting.fail()
    assert not resting.rest.resting
    resting.fail()
    assert resting.rest.resting
    assert resting.reachable == [False]
    await resting.rest.aclose()


async def test_a_success_between_starts_the_count_anew():
    resting = Resting()
    for _ in range(3 * FAILURES):
        resting.fail()
        resting.rest.succeeded()
    assert not resting.rest.resting


async def test_commands_that_were_under_way_together_count_as_one_failure():
    resting = Resting()
    for _ in range(3 * FAILURES):
        resting.fail(began=0.5)
    assert not resting.rest.resting


async def test_some_failures_are_enough_alone():
    resting = Resting()
    resting.fail(at_once=True)
    assert resting.rest.resting
    await resting.rest.aclose()


async def test_a_rest_ends_when_a_probe_finds_nothing_wrong(caplog):
    resting = Resting()
    with caplog.at_level(logging.WARNING):
        resting.rest.begin("timeout")
        await settle()
        assert resting.rest.resting
        assert resting.probes > 1
        resting.trouble = None
        await settle()
    assert not resting.rest.resting
    assert resting.reachable == [False, True]
    assert [record.getMessage() for record in caplog.records] == [
        "the shared cache does not answer (timeout): going on without it",
        "the shared cache answers again",
    ]
    probes = resting.probes
    await settle()
    assert resting.probes == probes


SECRET = b"secret of all replicas"
SEALS = EntrySigner(SECRET)
KEY = bytes(16)


@given(st.binary(), st.floats(0, 4e9))
def test_what_is_packed_is_unpacked(value, expires):
    read = SEALS.unpack(KEY, SEALS.pack(KEY, CacheEntry(value, expires)))
    assert read.value == value
    assert read.expires == pytest.approx(expires, abs=0.001)


PACKED = SEALS.pack(KEY, CacheEntry(b"an answer", 1_790_000_000.123))


@given(st.integers(0, len(PACKED) - 1))
def test_what_was_cut_short_is_broken(length):
    assert SEALS.unpack(KEY, PACKED[:length]) is BROKEN


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_what_has_a_flipped_byte_is_broken(place, flip):
    damaged = bytearray(PACKED)
    damaged[place] ^= flip
    assert SEALS.unpack(KEY, bytes(damaged)) is BROKEN


@given(st.binary() | st.binary().map(b"........1790000000123 ".__add__))
def test_foreign_bytes_are_broken(raw):
    assert SEALS.unpack(KEY, raw) is BROKEN


@given(st.binary(min_size=1, max_size=40).filter(lambda key: key != KEY))
def test_what_was_put_under_another_key_is_broken(key):
    assert SEALS.unpack(key, PACKED) is BROKEN


@pytest.mark.parametrize("cut", range(1, 17))
def test_no_part_of_a_key_passes_for_the_beginning_of_a_value(cut):
    moved = CacheEntry(b"x", 1_790_000_000.123)
    raw = SEALS.pack(KEY + b"1" * cut, moved)
    assert SEALS.unpack(KEY, raw[:8] + b"1" * cut + raw[8:]) is BROKEN


@given(st.binary(min_size=1, max_size=64).filter(lambda secret: secret != SECRET))
def test_nobody_makes_a_value_without_the_secret(secret):
    assert EntrySigner(secret).unpack(KEY, PACKED) is BROKEN


@pytest.mark.parametrize("moment", [b"", b"-1", b"1.5", b"9" * 16, b"\xff"])
def test_a_moment_that_is_none_is_broken_whatever_its_seal(moment):
    rest = moment + b" x"
    seal = blake2b(bytes((len(KEY),)) + KEY + rest, digest_size=8, key=SECRET)
    assert SEALS.unpack(KEY, seal.digest() + b"1 x") is BROKEN
    assert SEALS.unpack(KEY, seal.digest() + rest) is BROKEN


def test_what_is_broken_has_ended():
    assert BROKEN.remaining(0.0) <= 0


def test_what_a_foreign_clock_says_is_bounded():
    assert CacheEntry(b"", 1e11).remaining(0.0) == 7 * 86_400.0


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (TimeoutError(), "timeout"),
        (redis.TimeoutError(), "timeout"),
        (redis.AuthenticationError(), "credentials"),
        (redis.AuthorizationError(), "credentials"),
        (redis.InvalidResponse(), "invalid_answer"),
        (InvalidAnswer(), "invalid_answer"),
        (ConnectionRefusedError(), "unreachable"),
        (redis.ConnectionError(), "unreachable"),
        (redis.BusyLoadingError(), "unreachable"),
        (redis.ReadOnlyError(), "read_only"),
        (redis.OutOfMemoryError(), "rejected"),
        (redis.ResponseError(), "rejected"),
        (KeyError("a bug"), "unexpected_error"),
    ],
    ids=repr,
)
def test_each_failure_has_its_word(error, stage):
    assert stage_of(error) == stage


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress(hosts=(("cache", 6379),))),
        ("redis://127.0.0.1:7000/3", RedisAddress(hosts=(("127.0.0.1", 7000),), database=3)),
        ("redis://[::1]:7000/", RedisAddress(hosts=(("::1", 7000),))),
        ("rediss://cache:6380/0", RedisAddress(hosts=(("cache", 6380),), tls=True)),
        (
            "redis+sentinel://a,b:7001,[::1]:7002/primary/2",
            RedisAddress(
                hosts=(("a", 26379), ("b", 7001), ("::1", 7002)), database=2, service="primary"
            ),
        ),
    ],
)
def test_an_address_is_read_in_its_parts(url, address):
    assert parse_address(url) == address


@pytest.mark.parametrize("url", ["memory://", "redis+sentinel://a", "redis://a/x", "redis://a:x"])
def test_another_address_is_refused(url):
    with pytest.raises(ValueError, match=r".+"):
        parse_address(url)
