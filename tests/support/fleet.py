"""`pointsman serve --workers N` as an operator starts it, and what it says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from support.eventually import eventually

SERVES = re.compile(r"worker (\d+) serves: pid (\d+), admin on port (\d+), metrics on port (\d+)")


@dataclass(frozen=True)
class Worker:
    index: int
    pid: int
    admin_port: int
    metrics_port: int

    async def page(self) -> str:
        """Its metrics, as a scraper gets them."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        return await asyncio.to_thread(lambda: urlopen(url, timeout=10).read().decode())


@dataclass
class Fleet:
    """The supervisor's process and its standard error."""

    process: asyncio.subprocess.Process
    errors: Path

    @property
    def said(self) -> list[str]:
        return self.errors.read_text().splitlines()

    @property
    def start_line(self) -> str | None:
        return next((line for line in self.said if line.startswith("pointsman serving on")), None)

    @property
    def port(self) -> int:
        found = re.search(r"serving on 127\.0\.0\.1:(\d+)", self.start_line or "")
        assert found, self.said
        return int(found[1])

    @property
    def workers(self) -> list[Worker]:
        """All that have served, in that order."""
        messages = [json.loads(line)["message"] for line in self.said if line.startswith("{")]
        found = [SERVES.fullmatch(message) for message in messages]
        return [Worker(*map(int, match.groups())) for match in found if match]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await self.process.wait()


@asynccontextmanager
async def fleet(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    """Start it and wait until it serves or has ended; it ends with the block."""
    errors = folder / "stderr"
    command = (sys.executable, "-m", "pointsman_server", "serve", "--listen", "127.0.0.1:0")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("POINTSMAN_", "OTEL_"))}
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--admin-listen",
            "127.0.0.1:0",
            "--http-listen",
            "",
            "--metrics-listen",
            "127.0.0.1:0",
            *arguments,
            stderr=stderr,
            env=inherited | dict(environment or {}),
        )
    started = Fleet(process, errors)
    try:
        await eventually(lambda: started.start_line or process.returncode is not None, seconds=60)
        yield started
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def samples(page: str, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The numbers of one metric, by labels."""
    return {
        frozenset(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }
