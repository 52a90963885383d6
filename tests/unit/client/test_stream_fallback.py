"""`stream_with_fallback`: the next profile answers until a first chunk has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from pointsman_client import (
    Attempt,
)
from pointsman_client import run_affinity as runs_module
from pointsman_client.fallback.asynchronous import stream_attempts
from support.llm_calls import Chunks, route, run, streamed, streams


@pytest.mark.parametrize(
    "first", [httpx.ReadError("x"), None], ids=["fails before its first chunk", "is empty"]
)
async def test_a_stream_without_a_first_chunk_leads_to_the_next_profile(
    first: Exception | None,
) -> None:
    a, b = Chunks(*([first] if first else [])), Chunks("1", "2")
    runs = runs_module.RunAffinity()
    found = route("a", "b")

    assert await streamed(found, streams(a=a, b=b), runs=runs) == ["1", "2"]
    assert a.closed
    assert b.closed
    assert [each.profile for each in runs.order(found)] == ["b", "a"]


async def test_an_error_after_the_first_chunk_is_raised_as_it_is() -> None:
    a, b = Chunks("1", httpx.ReadError("x")), Chunks("2")
    with pytest.raises(httpx.ReadError):
        await streamed(route("a", "b"), streams(a=a, b=b))
    assert a.closed


async def test_a_call_may_await_before_it_streams() -> None:
    async def call(attempt: Attempt) -> Chunks:
        if attempt.profile == "a":
            raise TimeoutError
        return Chunks(attempt.profile)

    assert await streamed(route("a", "b"), call) == ["b"]


async def test_a_slow_first_chunk_is_cut_off() -> None:
    async def slow(attempt: Attempt) -> AsyncIterator[str]:
        if attempt.profile == "a":
            await asyncio.sleep(30)
        yield attempt.profile

    assert await streamed(route("a", "b"), slow, attempt_timeout=0.05) == ["b"]


async def test_leaving_a_stream_closes_it() -> None:
    a = Chunks("1", "2")
    bounds: Any = {"deadline": None, "attempt_timeout": None}
    stream = stream_attempts(route("a"), streams(a=a), runs=runs_module.RunAffinity(), **bounds)
    async with aclosing(stream) as chunks:
        assert await anext(chunks) == "1"
    assert a.closed


async def test_a_stream_in_the_form_for_answers_is_a_loud_mistake() -> None:
    async def call(_: Attempt) -> AsyncIterator[str]:
        async def chunks() -> AsyncIterator[str]:
            raise httpx.ReadError("x")
            yield ""

        return chunks()

    with pytest.raises(TypeError, match="stream_with_fallback"):
        await run(route("a", "b"), call)
