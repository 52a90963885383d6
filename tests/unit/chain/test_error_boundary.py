"""The wall around one engine."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest
from pointsman_server.chain.error_boundary import ErrorBoundary
from pointsman_server.core.errors import EngineFailed, EnginesFailed
from support.builders import GPT, OPUS, SONNET, answer, query
from support.fakes import ScriptedEngine, failed

PROMPT = "canary-prompt"


def guarded(*script):
    return ErrorBoundary(ScriptedEngine(*script), name="morph")


async def refusal(engine, asked=None):
    with pytest.raises(EngineFailed) as caught:
        await engine.decide(asked or query(prompt=PROMPT))
    return caught.value


async def test_an_answer_among_the_candidates_passes():
    assert await guarded(answer(SONNET)).decide(query()) == answer(SONNET)


async def test_an_engines_own_failure_passes_as_it_is():
    error = failed("http_503", elapsed=0.5)
    assert await refusal(guarded(error)) is error


@pytest.mark.parametrize(
    "said",
    [
        answer(GPT),
        answer("x/unheard-of"),
        answer(SONNET, router_model="another"),
        answer("claude-sonnet-4-6", router_model="claude-sonnet-4-6"),
    ],
    ids=["not offered", "unknown", "another router id", "a router id as public id"],
)
async def test_an_answer_that_is_none_of_the_requests_candidates_is_invalid(said):
    error = await refusal(guarded(said), query(OPUS, SONNET))
    assert (error.failure.engine, error.failure.stage) == ("morph", "invalid_response")


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"cannot parse {PROMPT}"),
        KeyError(PROMPT),
        RecursionError(PROMPT),
        EnginesFailed([failed("fetch").failure]),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_any_other_exception_becomes_an_unexpected_error(error):
    found = await refusal(guarded(error))
    assert (found.failure.engine, found.failure.stage) == ("morph", "unexpected_error")


async def test_the_text_of_a_foreign_exception_reaches_neither_log_nor_error(caplog):
    caplog.set_level(logging.DEBUG)

    def broken(asked):
        # Source lines are in a traceback, so the text is not in one.
        inner = KeyError(asked.prompt)
        raise ValueError(f"cannot send {asked.prompt}") from inner

    found = await refusal(guarded(broken))
    told = caplog.text + "".join(traceback.format_exception(found)) + repr(found)
    assert "canary" not in told
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    # Where it happened and what it was stand there.
    assert "morph" in record.getMessage()
    assert "ValueError" in record.getMessage()
    assert "in broken" in record.getMessage()


async def test_a_cancelled_call_is_no_failure():
    engine = ErrorBoundary(ScriptedEngine(gate=asyncio.Event()), name="morph")
    task = asyncio.create_task(engine.decide(query()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
