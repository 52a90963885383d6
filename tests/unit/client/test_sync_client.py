"""The blocking client against a real server: in threads, in event loops, after a fork."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pointsman_client import (
    Attempt,
    ClientClosed,
    DeadlineExceeded,
    Denied,
    Fallback,
    MirrorLimits,
    Outcome,
    RoutingClient,
    SyncRoutingClient,
    Unavailable,
    failed_attempts,
)
from pointsman_client.testing import FakeService, Refusal, resolved, routed
from support.threaded_fake import threaded_fake

ASK = {
    "user_id": "u",
    "tier": "t",
    "candidates": ("vendor/a", "vendor/b"),
    "static_pick": "vendor/a",
}


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with threaded_fake() as service:
        yield service


@pytest.fixture
def client(fake: FakeService) -> Iterator[SyncRoutingClient]:
    with SyncRoutingClient(fake.target, timeout=30, decide_timeout=30) as opened:
        yield opened


def test_it_decides_and_routes(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.always(routed("vendor/b"))
    assert client.decide("Hi", **ASK).model == "vendor/b"
    result = client.route("Hi", **ASK)
    assert (result.outcome, result.serve_model) == (Outcome.ROUTED, "vendor/b")


def test_many_threads_share_it(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.always(routed("vendor/b"))
    with ThreadPoolExecutor(16) as pool:
        models = list(pool.map(lambda _: client.decide("Hi", **ASK).model, range(200)))
    assert models == ["vendor/b"] * 200


def test_it_works_inside_event_loops(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.always(routed("vendor/b"))

    async def request() -> str:
        return client.decide("Hi", **ASK).model

    assert [asyncio.run(request()) for _ in range(3)] == ["vendor/b"] * 3


def test_a_service_that_is_away_is_answered_by_the_static_pick() -> None:
    with SyncRoutingClient("127.0.0.1:1", retries=0) as client:
        choice = client.decide("Hi", timeout=5, **ASK)
        assert (choice.model, choice.fallback) == ("vendor/a", Fallback.UNAVAILABLE)
        with pytest.raises(Unavailable):
            client.route("Hi", timeout=5, **ASK)


def test_a_deadline_ends_the_call(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.always(routed("vendor/b"), delay=30)
    with pytest.raises(DeadlineExceeded):
        client.route("Hi", timeout=0.05, **ASK)


def test_pushback_is_waited_for(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.answer(Refusal(status="RESOURCE_EXHAUSTED", retry_after=0.05))
    fake.answer(routed("vendor/b"))
    assert client.route("Hi", **ASK).serve_model == "vendor/b"


def test_a_closed_client_says_so(client: SyncRoutingClient) -> None:
    client.close()
    with pytest.raises(ClientClosed):
        client.route("Hi", **ASK)


def test_a_coroutine_function_is_no_token_source(fake: FakeService) -> None:
    async def token() -> str:
        return "t"

    def broken() -> str:
        raise OSError

    with pytest.raises(TypeError, match="coroutine function"):
        SyncRoutingClient(fake.target, token=token)
    with SyncRoutingClient(fake.target, token=broken) as client, pytest.raises(Denied):
        client.route("Hi", **ASK)


def test_mirrored_requests_are_counted(fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    with SyncRoutingClient(fake.target) as client:
        assert client.mirror("Hi", **ASK)
        assert not client.mirror({"messages": 3}, api_kind="chat_completions", **ASK)
    counts = client.mirrored
    assert (counts.submitted, counts.sent, counts.failed) == (2, 1, 1)
    assert counts.failures == {Fallback.INVALID: 1}
    assert not client.mirror("Hi", **ASK)
    assert client.mirrored.dropped == 1


def test_a_full_mirror_drops_without_waiting(fake: FakeService) -> None:
    fake.always(routed("vendor/b"), delay=30)
    limits = MirrorLimits(waiting=1, workers=1, drain=0.05)
    with SyncRoutingClient(fake.target, mirror=limits) as client:
        began = time.monotonic()
        taken = [client.mirror("Hi", **ASK) for _ in range(50)]
        assert time.monotonic() - began < 5
    assert taken.count(False) >= 48


def test_it_falls_back_and_streams(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.routes["plan"] = resolved("a", "b")

    def call(attempt: Attempt) -> str:
        if attempt.profile == "a":
            raise ConnectionResetError
        return f"answer of {attempt.profile}"

    def stream(attempt: Attempt) -> Iterator[str]:
        if attempt.profile == "a":
            raise TimeoutError
        yield from (attempt.profile, "more")

    assert client.run_with_fallback("plan", "r", call) == "answer of b"
    assert list(client.stream_with_fallback("plan", "s", stream)) == ["b", "more"]
    with pytest.raises(TypeError, match="stream_with_fallback"):
        client.run_with_fallback("plan", "t", stream)


def test_the_last_error_has_all_attempts(fake: FakeService, client: SyncRoutingClient) -> None:
    fake.routes["plan"] = resolved("a", "b")

    def call(_: Attempt) -> str:
        raise TimeoutError

    with pytest.raises(TimeoutError) as caught:
        client.run_with_fallback("plan", "r", call)
    assert [f.attempt.profile for f in failed_attempts(caught.value)] == ["a", "b"]


@pytest.mark.parametrize("used", [False, True], ids=["before its first call", "after a call"])
def test_a_forked_child_has_its_own_connection(fake: FakeService, used: bool) -> None:
    program = f"""
        import os, sys
        from pointsman_client import SyncRoutingClient
        client = SyncRoutingClient({fake.target!r}, timeout=10, decide_timeout=10)
        ask = dict(user_id="u", tier="t", static_pick="vendor/a")
        if {used}:
            assert client.decide("Hi", **ask).model == "vendor/b"
        child = os.fork()
        if child == 0:
            os._exit(0 if client.decide("Hi", **ask).model == "vendor/b" else 1)
        assert client.decide("Hi", **ask).model == "vendor/b"
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    fake.always(routed("vendor/b"))
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout.strip()) == (0, "0"), run.stderr


@pytest.mark.parametrize("client", [RoutingClient, SyncRoutingClient])
def test_a_url_is_no_address(client: type[RoutingClient | SyncRoutingClient]) -> None:
    with pytest.raises(ValueError, match=r"host:port, not a URL: 'http://127.0.0.1:50051'"):
        client("http://127.0.0.1:50051")
