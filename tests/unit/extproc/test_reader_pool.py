"""Long bodies are read in processes that come back when one is ended."""

from __future__ import annotations

import asyncio
import json

import pytest
from pointsman_client import ApiKind
from pointsman_extproc.paths import Purpose, Target
from pointsman_extproc.reader_pool import HERE, ReaderPool, ReadingTimeout
from pointsman_extproc.reading import Question

TIER = "a/tier"
QUESTION = Question(
    target=Target(kind=ApiKind.CHAT_COMPLETIONS, purpose=Purpose.TURN), tiers=frozenset({TIER})
)


def body(size: int) -> bytes:
    words = "Why? " + "x" * size
    return json.dumps({"model": TIER, "messages": [{"role": "user", "content": words}]}).encode()


HOSTILE = b'{"model":"a/tier","x":[' + b"[]," * 5_000_000 + b"[]]}"


async def test_short_and_long_bodies_read_alike() -> None:
    pool = ReaderPool(processes=1)
    try:
        await pool.ready(within=60)
        for size in (10, 2 * HERE):
            raw = body(size)
            reading = await pool.read(raw, QUESTION, within=60)
            assert reading is not None
            assert reading.prompt is not None
            assert str(reading.prompt.user_prompt_prefix).startswith("Why?")
            assert json.loads(b"".join(reading.with_model(raw, "v/b")))["model"] == "v/b"
        assert await pool.read(b"x" * 2 * HERE, QUESTION, within=60) is None
    finally:
        await pool.aclose()


async def test_a_process_that_takes_too_long_is_replaced() -> None:
    pool = ReaderPool(processes=1)
    try:
        await pool.ready(within=60)
        with pytest.raises(ReadingTimeout):
            await pool.read(HOSTILE, QUESTION, within=0.05)
        with pytest.raises(ReadingTimeout):
            await pool.read(HOSTILE, QUESTION, within=0.0)
        assert await pool.read(body(2 * HERE), QUESTION, within=60) is not None
    finally:
        await pool.aclose()


async def test_a_caller_that_leaves_ends_the_reading() -> None:
    pool = ReaderPool(processes=1)
    try:
        await pool.ready(within=60)
        task = asyncio.create_task(pool.read(HOSTILE, QUESTION, within=60))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.read(body(2 * HERE), QUESTION, within=60) is not None
    finally:
        await pool.aclose()


async def test_a_pool_that_never_read_closes() -> None:
    await ReaderPool().aclose()
    with pytest.raises(ValueError, match="at least 1"):
        ReaderPool(processes=0)
