"""LLM calls that fail as they are told to, along a resolved route."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from pointsman_client import (
    Attempt,
)
from pointsman_client import run_affinity as runs_module
from pointsman_client.fallback.asynchronous import run_attempts, stream_attempts
from pointsman_client.routes import ResolvedRoute

REQUEST = httpx.Request("POST", "https://llm.example")
SECRET = "canary-in-the-text-of-an-error"


def status(code: int) -> httpx.HTTPStatusError:
    response = httpx.Response(code, request=REQUEST)
    return httpx.HTTPStatusError(SECRET, request=REQUEST, response=response)


class Calls:
    """An LLM per profile that fails as it is told to, in order, and then answers."""

    def __init__(self, **failures: Exception | list[Exception]) -> None:
        self.made: list[str] = []
        self._failures = {
            p: list(f) if isinstance(f, list) else [f] * 1_000 for p, f in failures.items()
        }

    async def __call__(self, attempt: Attempt) -> str:
        self.made.append(attempt.profile)
        left = self._failures.get(attempt.profile)
        if left:
            raise left.pop(0)
        return f"answer of {attempt.profile}"


def route(*profiles: str, **facts: Any) -> ResolvedRoute:
    attempts = tuple(Attempt(profile=p, provider="acme", model=p) for p in profiles)
    return ResolvedRoute(**{"purpose": "plan", "run_id": "r-1", "attempts": attempts, **facts})


async def run(found: ResolvedRoute, call: Any, **bounds: Any) -> Any:
    whole = {"runs": runs_module.RunAffinity(), "deadline": None, "attempt_timeout": None, **bounds}
    return await run_attempts(found, call, **whole)


# ---------------------------------------------------------------- streams


class Chunks:
    """An SDK's stream: an async iterable that is closed apart from its iterator."""

    def __init__(self, *chunks: str | Exception) -> None:
        self.chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def close(self) -> None:
        self.closed = True


def streams(**chunks: Chunks) -> Callable[[Attempt], Chunks]:
    return lambda attempt: chunks[attempt.profile]


async def streamed(found: ResolvedRoute, call: Any, **bounds: Any) -> list[str]:
    whole = {"runs": runs_module.RunAffinity(), "deadline": None, "attempt_timeout": None, **bounds}
    return [chunk async for chunk in stream_attempts(found, call, **whole)]
