"""Replicas over one real server: what they share, what they copy, how they log in."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from pointsman_server.cache.redis.client import Login
from pointsman_server.core.errors import SourceUnreadable
from support.eventually import eventually
from support.ports import free_port
from support.redis_server import KINDS, RealServer, false_server
from support.shared_cache import SEALS, Replica, names

KEY = bytes(range(16))
NAME = f"pointsman:3:{KEY.hex()}"
TTL = 60.0


@pytest.fixture(params=KINDS)
def server(request):
    with RealServer(request.param) as running:
        yield running


async def test_of_many_replicas_that_add_at_once_one_wins(server):
    replicas = [Replica(server.url) for _ in range(6)]
    try:
        await asyncio.gather(*(r.store.open() for r in replicas))
        for number in range(50):
            key = number.to_bytes(16, "big")
            values = [b"%d" % n for n, _ in enumerate(replicas)]
            added = zip(replicas, values, strict=True)
            found = await asyncio.gather(*(r.cache.add(key, v, ttl=TTL) for r, v in added))
            assert found.count(None) == 1
            winner = values[found.index(None)]
            assert {f for f in found if f is not None} <= {winner}
            assert {await r.cache.get(key) for r in replicas} == {winner}
    finally:
        for replica in replicas:
            await replica.cache.aclose()


async def test_what_lies_in_the_server_is_a_seal_a_moment_and_the_value(server):
    async with Replica(server.url) as replica:
        await replica.cache.put(KEY, b'{"v":1}', ttl=TTL)
        assert names(server) == [NAME]
        raw = server("GET", NAME)
        moment, _, value = raw[8:].partition(b" ")
        assert value == b'{"v":1}'
        assert SEALS.unpack(KEY, raw).value == value
        left = server("PTTL", NAME)
        seconds, micros = server("TIME")
        assert int(moment) == pytest.approx(seconds * 1_000 + micros / 1_000 + left, abs=1_000)


async def test_what_another_writes_there_is_not_used_and_is_replaced(server):
    other = bytes(reversed(KEY))
    async with Replica(server.url, recheck=0.0) as replica, Replica(server.url) as fresh:
        await replica.cache.put(KEY, b"mine", ttl=TTL)
        await replica.cache.put(other, b"of another conversation", ttl=TTL)
        server("SET", NAME, server("GET", f"pointsman:3:{other.hex()}"))
        assert await fresh.cache.get(KEY) is None
        assert await replica.cache.get(KEY) == b"mine"
        assert await fresh.cache.get(KEY) == b"mine"


async def test_a_copy_is_used_until_it_is_time_to_ask_again(server):
    async with Replica(server.url, recheck=60.0) as here, Replica(server.url) as there:
        await here.cache.add(KEY, b"first", ttl=TTL)
        await there.cache.put(KEY, b"second", ttl=TTL)
        assert await here.cache.get(KEY) == b"first"
        assert await here.slots.get(KEY) == b"second"
        assert await here.cache.get(KEY) == b"second"


@pytest.mark.parametrize("lost", ["emptied", "restarted"])
async def test_what_the_server_lost_is_offered_to_it_again(server, lost):
    async with Replica(server.url, recheck=0.0) as here, Replica(server.url) as there:
        await here.cache.add(KEY, b"first", ttl=TTL)
        if lost == "emptied":
            server("FLUSHALL")
        else:
            server.kill()
            server.start()
            await asyncio.gather(here.until_reachable(True), there.until_reachable(True))
        assert await here.cache.get(KEY) == b"first"
        assert await there.cache.get(KEY) == b"first"
        assert 0 < server("PTTL", NAME) <= TTL * 1_000


async def test_the_decision_that_was_there_first_wins_over_one_made_without_the_server(server):
    async with Replica(server.url, recheck=0.0) as here, Replica(server.url) as there:
        server.kill()
        assert await here.cache.add(KEY, b"here", ttl=TTL) is None
        assert await here.cache.add(KEY, b"later", ttl=TTL) == b"here"
        assert await here.cache.get(KEY) == b"here"
        server.start()
        await asyncio.gather(here.until_reachable(True), there.until_reachable(True))
        assert await there.cache.add(KEY, b"there", ttl=TTL) is None
        assert await here.cache.get(KEY) == b"there"
        assert here.meter.failed_writes == 2


def cut(raw: bytes) -> bytes:
    return raw[:-1]


def damaged(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def foreign(_raw: bytes) -> bytes:
    return b"foreign"


@pytest.mark.parametrize("broken", [cut, damaged, foreign])
async def test_what_is_broken_in_the_server_means_nothing_and_can_be_replaced(server, broken):
    async with Replica(server.url) as writer, Replica(server.url, recheck=0.0) as replica:
        await writer.cache.put(KEY, b"theirs", ttl=TTL)
        server("SET", NAME, broken(server("GET", NAME)))
        assert await replica.cache.get(KEY) is None
        assert replica.meter.lookups == {"miss": 1}
        assert replica.cache.peek(KEY) is None
        assert await replica.cache.add(KEY, b"mine", ttl=TTL) == b""
        await replica.cache.put(KEY, b"mine", ttl=TTL)
        assert server("GET", NAME).endswith(b" mine")
        assert await replica.cache.get(KEY) == b"mine"


async def test_a_key_of_another_type_is_no_answer(server):
    async with Replica(server.url) as replica:
        await replica.cache.put(KEY, b"mine", ttl=TTL)
        server("DEL", NAME)
        server("RPUSH", NAME, "a list")
        assert await replica.slots.get(KEY) == b"mine"
        assert replica.meter.failures["rejected"] == 1


async def test_a_full_server_is_read_and_not_written(server):
    async with Replica(server.url, recheck=0.0) as here, Replica(server.url) as there:
        await here.cache.add(KEY, b"first", ttl=TTL)
        server("CONFIG", "SET", "maxmemory", "1")
        other = b"o" * 16
        assert await here.cache.add(other, b"mine", ttl=TTL) is None
        assert await here.cache.get(other) == b"mine"
        assert await there.cache.get(KEY) == b"first"
        assert here.meter.failures["rejected"] >= 1
        assert here.meter.reachable == [True]


async def test_lookups_of_one_turn_are_one_command(server):
    async with Replica(server.url, recheck=0.0) as replica:
        keys = [number.to_bytes(16, "big") for number in range(40)]
        await asyncio.gather(*(replica.cache.put(k, k, ttl=TTL) for k in keys))
        server("CONFIG", "RESETSTAT")
        assert await asyncio.gather(*(replica.cache.get(k) for k in keys)) == keys
        stats = server("INFO", "commandstats")
        assert stats["cmdstat_mget"]["calls"] == 1
        assert "cmdstat_get" not in stats


async def test_callers_who_leave_break_no_connection(server):
    async with Replica(server.url, recheck=0.0) as replica:
        before = server("INFO", "stats")["total_connections_received"]
        for number in range(50):
            key = number.to_bytes(16, "big")
            tasks = [
                asyncio.create_task(replica.cache.get(key)),
                asyncio.create_task(replica.cache.add(key, b"value", ttl=TTL)),
            ]
            for _ in range(number % 5):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert await replica.cache.get(b"\xff" * 16) is None
        # Each look at the figures is a connection too.
        assert server("INFO", "stats")["total_connections_received"] - before == 1


async def test_the_pool_is_bounded(server):
    async with Replica(server.url, recheck=0.0, connections=3) as replica:
        keys = [number.to_bytes(16, "big") for number in range(500)]
        await asyncio.gather(*(replica.cache.add(k, k, ttl=TTL) for k in keys))
        assert await asyncio.gather(*(replica.cache.get(k) for k in keys)) == keys
        assert server("INFO", "clients")["connected_clients"] <= 3 + 1
        assert not replica.meter.failures


class Secret:
    """A password that an operator changes."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __call__(self) -> str:
        if self.text is None:
            raise SourceUnreadable("key file: empty")
        return self.text


@pytest.mark.parametrize("wrong", ["wrong", None])
async def test_a_wrong_password_is_no_cache_until_it_is_right(server, wrong, caplog):
    server("CONFIG", "SET", "requirepass", "right")
    server.password = "right"
    secret = Secret(wrong)
    async with Replica(server.url, login=Login(secret=secret)) as replica:
        assert replica.meter.reachable == [False]
        assert await replica.cache.add(KEY, b"value", ttl=TTL) is None
        assert replica.meter.failures["credentials"] == 1
        secret.text = "right"
        await replica.until_reachable(True)
        await replica.cache.put(KEY, b"value", ttl=TTL)
        assert names(server) == [NAME]
    assert "right" not in caplog.text.replace("right now", "")


async def test_a_user_of_few_rights_is_enough(server):
    rights = ("on", ">pass", "~pointsman:*", "+mget", "+set", "resetchannels")
    server("ACL", "SETUSER", "pointsman", *rights)
    login = Login(username="pointsman", secret=lambda: "pass")
    async with Replica(server.url, login=login, recheck=0.0) as replica:
        assert await replica.cache.add(KEY, b"value", ttl=TTL) is None
        assert await replica.cache.get(KEY) == b"value"
        assert await replica.store.text("morph_router_enabled") is None
        assert not replica.meter.failures


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name` that vouches for itself, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext"]
    command += [f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(
    ("name", "trusted", "reachable"),
    [("localhost", True, True), ("localhost", False, False), ("elsewhere", True, False)],
)
async def test_tls_asks_for_a_certificate_of_the_right_name_and_authority(
    tmp_path, name, trusted, reachable
):
    cert, key = certificate(tmp_path, name)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key)]
    options += ["--tls-auth-clients", "no"]
    with RealServer("redis", *options):
        ca_file = str(cert) if trusted else None
        url = f"rediss://localhost:{port}"
        async with Replica(url, ca_file=ca_file, recheck=0.0) as replica:
            assert replica.meter.reachable == [reachable]
            await replica.cache.put(KEY, b"value", ttl=TTL)
            assert await replica.cache.get(KEY) == b"value"
            assert replica.meter.failed_writes == (0 if reachable else 1)


def replication(server: RealServer, field: str) -> object:
    return server("INFO", "replication").get(field)


async def test_sentinels_say_which_server_is_the_primary_now(tmp_path):
    with (
        RealServer() as first,
        RealServer("redis", "--replicaof", f"127.0.0.1 {first.port}") as second,
    ):
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"sentinel monitor primary 127.0.0.1 {first.port} 1\n"
            "sentinel down-after-milliseconds primary 300\n"
            "sentinel failover-timeout primary 3000\n"
        )
        await eventually(lambda: replication(second, "master_link_status") == "up")
        with RealServer("redis", config=config, role="--sentinel") as sentinel:
            url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/primary/0"
            async with Replica(url, recheck=0.0, budget=1.0) as replica:
                assert replica.meter.reachable == [True]
                await replica.cache.add(KEY, b"value", ttl=TTL)
                assert names(first) == [NAME]
                first.kill()
                await replica.until_reachable(False)
                await eventually(lambda: replication(second, "role") == "master")
                await replica.until_reachable(True)
                assert await replica.cache.get(KEY) == b"value"
                await replica.cache.put(KEY, b"new", ttl=TTL)
                assert second("GET", NAME).endswith(b" new")


async def test_a_server_that_moves_is_found_again_by_its_name(server):
    """A name may lead elsewhere at any time: here a wire that is laid anew."""
    with RealServer() as other:
        ports = [server.port]

        async def wire(reader, writer):
            there, back = await asyncio.open_connection("127.0.0.1", ports[0])

            async def copy(source, target):
                while some := await source.read(65_536):
                    target.write(some)
                target.close()

            await asyncio.gather(copy(reader, back), copy(there, writer))

        async with false_server(wire) as url, Replica(url, recheck=0.0) as replica:
            await replica.cache.put(KEY, b"value", ttl=TTL)
            ports[0] = other.port
            server("REPLICAOF", "127.0.0.1", "1")
            await replica.cache.put(KEY, b"value", ttl=TTL)
            assert replica.meter.failures["read_only"] == 1
            await replica.until_reachable(True)
            await replica.cache.put(KEY, b"value", ttl=TTL)
            assert names(other) == [NAME]


async def test_a_primary_that_is_demoted_is_left_alone_until_it_takes_writes(server, caplog):
    """A replica answers reads, so that a probe which only reads would find it well."""
    async with Replica(server.url, recheck=0.0) as replica:
        await replica.cache.put(KEY, b"value", ttl=TTL)
        server("REPLICAOF", "127.0.0.1", "1")
        for _ in range(7):
            await replica.cache.put(KEY, b"new", ttl=TTL)
            await replica.cache.get(KEY)
            await asyncio.sleep(0.5)
        assert replica.meter.reachable == [True, False]
        lines = [record.getMessage() for record in caplog.records]
        assert len([line for line in lines if "shared cache" in line]) == 1
        server("REPLICAOF", "NO", "ONE")
        await replica.until_reachable(True)
        assert replica.meter.reachable == [True, False, True]
        await replica.cache.put(KEY, b"newest", ttl=TTL)
        assert server("GET", NAME).endswith(b" newest")
