"""An agent's call that falls back: the first of two providers answers 429, the second one serves.

Starts a Pointsman server with a route for `plan_create` and two scripted OpenAI-compatible
endpoints on free ports of this machine. No key, no network. Exits 0 when all went as it should.

    python examples/fallback.py
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pointsman_client import Attempt, RoutingClient, failed_attempts

POLICY = """
tiers: {kilo-auto/small: {policy: balanced}}
catalog: {acme/large: {router_id: acme-large}}
engines: {order: [local]}
decision_log: {stdout: false}
llm:
  provider: openai
  model: gpt-5.4
  endpoint: FIRST
  api_key: ${OPENAI_API_KEY}
  profiles:
    backup: {provider: acme, model: acme-large, endpoint: SECOND, api_key: "${ACME_API_KEY}"}
  routes:
    plan_create: {profile: default, fallback_profiles: [backup]}
"""
KEYS = {"OPENAI_API_KEY": "key-of-openai", "ACME_API_KEY": "key-of-acme"}
"""This program's environment; the server neither has nor needs the keys."""


@dataclass
class Endpoint:
    """`POST /chat/completions` that answers one status and records the callers."""

    status: int
    says: str
    url: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.calls.append({"model": body["model"], "key": headers["authorization"]})
        answer = {"error": {"message": self.says}}
        if self.status == 200:
            answer = {"choices": [{"message": {"role": "assistant", "content": self.says}}]}
        payload = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {self.status} Scripted\r\ncontent-type: application/json\r\n"
            f"content-length: {len(payload)}\r\nconnection: close\r\n\r\n".encode()
            + payload
        )
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Endpoint]:
        """Listen on a free port."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            yield self


async def main() -> int:
    """Plan twice within one run; the exit status."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Endpoint(429, "slow down").listening())
        second = await stack.enter_async_context(Endpoint(200, "1. Read. 2. Write.").listening())
        address = await stack.enter_async_context(server(first, second))
        client = await stack.enter_async_context(RoutingClient(address, timeout=10))
        http = await stack.enter_async_context(httpx.AsyncClient())

        async def call(attempt: Attempt) -> str:
            """Any LLM client works if its errors have a status."""
            print(f"  trying {attempt.profile}: {attempt.model} at {attempt.endpoint}")
            key = KEYS[(attempt.credential_ref or "").removeprefix("env:")]
            response = await http.post(
                f"{attempt.endpoint}/chat/completions",
                headers={"authorization": f"Bearer {key}"},
                json={"model": attempt.model, "messages": [{"role": "user", "content": "Plan"}]},
            )
            response.raise_for_status()
            text: str = response.json()["choices"][0]["message"]["content"]
            return text

        for number in (1, 2):
            print(f"call {number} of run r-1")
            answer = await client.run_with_fallback("plan_create", "r-1", call, timeout=30)
            print(f"  answer: {answer}")
        second.status = 503
        print("now both fail")
        try:
            await client.run_with_fallback("plan_create", "r-2", call, timeout=30)
        except httpx.HTTPStatusError as error:
            tried = [f"{f.attempt.profile} {f.kind}" for f in failed_attempts(error)]
            print(f"  raised {error.response.status_code} after: {', '.join(tried)}")
    as_expected = (
        answer == "1. Read. 2. Write."
        and tried == ["default http_429", "backup http_503"]
        and first.calls == [{"model": "gpt-5.4", "key": "bearer key-of-openai"}] * 2
        and second.calls == [{"model": "acme-large", "key": "bearer key-of-acme"}] * 3
    )
    return 0 if as_expected else 1


@asynccontextmanager
async def server(first: Endpoint, second: Endpoint) -> AsyncIterator[str]:
    """A Pointsman server with the route; its address."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(POLICY.replace("FIRST", first.url).replace("SECOND", second.url))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman_server", "serve", "--listen", "127.0.0.1:0",
            "--admin-listen", "", "--http-listen", "", "--metrics-listen", "",
            "--policy-file", str(path),
            env=os.environ | {"POINTSMAN_HASH_KEY": "example-hash-key"},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stderr is not None
        try:
            lines = []
            while line := (await asyncio.wait_for(child.stderr.readline(), 30)).decode().strip():
                lines.append(line)
                if found := re.search(r"serving on (\S+)", line):
                    yield found[1]
                    break
            else:
                raise SystemExit("\n".join(["the server did not start:", *lines]))
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
            await child.wait()


if __name__ == "__main__":
    logging.basicConfig(level="WARNING", format="  log: %(message)s", stream=sys.stdout)
    sys.exit(asyncio.run(main()))
