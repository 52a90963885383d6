"""`run_with_fallback`: which attempt is made when."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from pointsman_client import (
    Attempt,
    NoAttempts,
    NotFound,
    RoutingClient,
    Unavailable,
    failed_attempts,
)
from pointsman_client import run_affinity as runs_module
from pointsman_client.testing import FakeService, Refusal, resolved
from support.llm_calls import SECRET, Calls, route, run, status


async def test_the_first_attempt_that_answers_is_the_answer() -> None:
    calls = Calls(a=status(429), b=httpx.ConnectTimeout("x"))

    assert await run(route("a", "b", "c", "d"), calls) == "answer of c"
    assert calls.made == ["a", "b", "c"]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_an_error_that_is_not_eligible_is_raised_at_once(code: int) -> None:
    calls = Calls(a=status(code))

    with pytest.raises(httpx.HTTPStatusError) as raised:
        await run(route("a", "b"), calls)

    assert calls.made == ["a"]
    assert [f.kind for f in failed_attempts(raised.value)] == [f"http_{code}"]


async def test_a_mistake_in_the_call_is_raised_at_once() -> None:
    with pytest.raises(KeyError):
        await run(route("a", "b"), Calls(a=KeyError("x")))


async def test_a_route_s_own_list_decides_what_is_eligible() -> None:
    calls = Calls(a=status(404))

    assert await run(route("a", "b", eligible_errors=("http_404",)), calls) == "answer of b"
    with pytest.raises(httpx.HTTPStatusError):
        await run(route("a", "b", eligible_errors=("http_404",)), Calls(a=status(429)))


async def test_the_last_error_is_raised_with_all_attempts_attached() -> None:
    errors = {"a": status(429), "b": httpx.ConnectError(SECRET), "c": status(503)}

    with pytest.raises(httpx.HTTPStatusError) as raised:
        await run(route("a", "b", "c"), Calls(**errors))

    assert raised.value is errors["c"]
    found = failed_attempts(raised.value)
    assert [(f.attempt.profile, f.kind) for f in found] == [
        ("a", "http_429"), ("b", "connection"), ("c", "http_503"),
    ]  # fmt: skip
    assert [f.error for f in found] == list(errors.values())
    assert raised.value.__notes__ == ["attempts: a (http_429), b (connection), c (http_503)"]


async def test_an_error_that_takes_no_attributes_has_the_note() -> None:
    class Slotted(TimeoutError):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            if name == "pointsman_attempts":
                raise AttributeError(name)
            super().__setattr__(name, value)

    with pytest.raises(Slotted) as raised:
        await run(route("a"), Calls(a=Slotted()))

    assert raised.value.__notes__ == ["attempts: a (timeout)"]
    assert failed_attempts(raised.value) == ()


async def test_the_caller_s_cancellation_never_leads_to_the_next_attempt() -> None:
    made: list[str] = []
    started = asyncio.Event()

    async def hangs(attempt: Attempt) -> None:
        made.append(attempt.profile)
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(route("a", "b"), hangs, attempt_timeout=60))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == ["a"]


async def test_a_slow_attempt_is_cut_off_and_the_next_one_made() -> None:
    async def slow_at_first(attempt: Attempt) -> str:
        if attempt.profile == "a":
            await asyncio.Event().wait()
        return attempt.profile

    assert await run(route("a", "b"), slow_at_first, attempt_timeout=0.01) == "b"


async def test_after_the_deadline_no_attempt_is_made() -> None:
    made: list[str] = []

    async def hangs(attempt: Attempt) -> None:
        made.append(attempt.profile)
        await asyncio.Event().wait()

    deadline = asyncio.get_running_loop().time() + 0.02
    with pytest.raises(TimeoutError) as raised:
        await run(route("a", "b", "c"), hangs, deadline=deadline)

    assert made == ["a"]
    assert [f.attempt.profile for f in failed_attempts(raised.value)] == ["a"]


async def test_a_route_without_attempts_is_an_error() -> None:
    with pytest.raises(NoAttempts):
        await run(route(), Calls())


async def test_within_a_run_later_calls_begin_where_the_one_before_ended() -> None:
    runs, calls = runs_module.RunAffinity(), Calls(a=[status(429)])
    found = route("a", "b", "c")

    for _ in range(3):
        await run(found, calls, runs=runs)
    assert calls.made == ["a", "b", "b", "b"]

    await run(route("a", "b", "c", run_id="another"), calls, runs=runs)
    await run(route("a", "b", "c", purpose="other"), calls, runs=runs)
    assert calls.made[4:] == ["a", "a"]


async def test_what_failed_before_in_a_run_is_tried_again_last() -> None:
    runs = runs_module.RunAffinity()
    await run(route("a", "b", "c"), Calls(a=status(429)), runs=runs)
    calls = Calls(b=status(500), c=status(500))

    assert await run(route("a", "b", "c"), calls, runs=runs) == "answer of a"
    assert calls.made == ["b", "c", "a"]


async def test_a_profile_that_left_the_route_is_forgotten() -> None:
    runs = runs_module.RunAffinity()
    await run(route("a", "b"), Calls(a=status(429)), runs=runs)
    calls = Calls()

    await run(route("a", "c"), calls, runs=runs)

    assert calls.made == ["a"]


async def test_only_so_many_runs_are_remembered() -> None:
    runs = runs_module.RunAffinity(most=2)
    for n in range(3):
        failing = Calls(a=status(429))
        await run(route("a", "b", run_id=f"r-{n}"), failing, runs=runs)

    assert [a.profile for a in runs.order(route("a", "b", run_id="r-0"))] == ["a", "b"]
    assert [a.profile for a in runs.order(route("a", "b", run_id="r-2"))] == ["b", "a"]


async def test_the_client_resolves_and_goes_down_the_route(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.routes["plan_create"] = resolved("a", "b")
    calls = Calls(a=[status(429)])

    for _ in range(2):
        answer = await client.run_with_fallback("plan_create", "r-1", calls, timeout=30)

    assert answer == "answer of b"
    assert calls.made == ["a", "b", "b"]
    assert [(r.purpose, r.run_id) for r in fake.resolutions] == [("plan_create", "r-1")] * 2


async def test_the_client_sends_what_a_tier_is_decided_from(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.routes["review"] = resolved("a")

    await client.run_with_fallback(
        "review", "r-1", Calls(), prompt="Hi", user_id="u", session_id="s",
        candidates=["v/a", "v/b"], static_pick="v/a", profile_override="p",
    )  # fmt: skip

    [asked] = fake.resolutions
    assert asked.prompt.user_prompt_prefix == "Hi"
    assert (asked.caller.user_id, asked.caller.session_id) == ("u", "s")
    assert list(asked.candidate_models) == ["v/a", "v/b"]
    assert (asked.resolved_model, asked.profile_override) == ("v/a", "p")


async def test_what_to_decide_from_needs_a_prompt(client: RoutingClient) -> None:
    with pytest.raises(TypeError):
        await client.resolve("review", "r-1", user_id="u")


async def test_without_an_answer_of_the_service_what_the_caller_named_is_tried(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.routes["plan_create"] = Refusal(status="INTERNAL")
    otherwise = [Attempt(profile="mine", provider="acme", model="m")]

    answer = await client.run_with_fallback("plan_create", "r-1", Calls(), otherwise=otherwise)

    assert answer == "answer of mine"


async def test_without_an_answer_and_without_an_alternative_the_error_is_raised() -> None:
    async with RoutingClient("127.0.0.1:1", timeout=5, retries=0) as client:
        with pytest.raises(Unavailable):
            await client.run_with_fallback("plan_create", "r-1", Calls())


async def test_an_unknown_purpose_is_raised_whatever_the_alternatives(
    client: RoutingClient,
) -> None:
    calls = Calls()
    otherwise = [Attempt(profile="mine", provider="acme", model="m")]

    with pytest.raises(NotFound) as raised:
        await client.run_with_fallback("plan_creat", "r-1", calls, otherwise=otherwise)

    assert raised.value.reason == "UNKNOWN_PURPOSE"
    assert calls.made == []
