"""The servers of a soak, and how they are looked at."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from benchmarks.servers import Running, free_port, policy_text, span_sink, started

ENTRIES = 4_000
"""The size of the in-process cache, which is full before the measurement."""
PYTHON = (sys.executable, "-m", "pointsman_server")
QUALITY_LOSSES = (0.05, 0.051)
SCRAPE = 60.0
"""Seconds for a page of metrics: a machine that is busy with other things is no failure."""
KEY = {"MORPH_API_KEY": "soak"}


@dataclass(frozen=True)
class Soaked:
    """`pointsman serve` under load."""

    name: str
    running: Running
    metrics_port: int
    policy_file: Path
    cache: str
    morph: int

    def write_policy(self, turn: int) -> None:
        """Put the `turn`th policy file in the place of the one before."""
        new = self.policy_file.with_suffix(".new")
        new.write_text(
            _policy(self.policy_file.parent, cache=self.cache, morph=self.morph, turn=turn)
        )
        new.replace(self.policy_file)

    async def metrics(self) -> dict[str, float]:
        """Every series of the metrics page; those of one name added up."""
        return await asyncio.to_thread(_scraped, self.metrics_port)


@dataclass(frozen=True)
class Surroundings:
    """Peers of the servers in a soak test."""

    morph: int
    sink: int
    redis: int | None


@contextmanager
def surroundings(*, redis_server: str | None) -> Iterator[Surroundings]:
    """A Morph-compatible endpoint, a collector and, by the path of its program, a Redis."""
    with ExitStack() as stack:
        morph, listen = free_port(), "127.0.0.1"
        command = [*PYTHON, "morph-api", "--listen", f"{listen}:{morph}"]
        command += ["--key-env", "MORPH_API_KEY"]
        stack.enter_context(started("morph", command, port=morph, environment=KEY))
        sink = stack.enter_context(span_sink())
        redis = None
        if redis_server is not None:
            redis = free_port()
            command = [redis_server, "--port", str(redis), "--bind", listen, "--save", ""]
            stack.enter_context(started("redis", command, port=redis))
        yield Surroundings(morph, sink.port, redis)


@contextmanager
def soaked(name: str, *, cache: str, around: Surroundings) -> Iterator[Soaked]:
    """A server as it is deployed: all telemetry on, every call a span and a line of the log."""
    port, metrics_port = free_port(), free_port()
    with TemporaryDirectory(prefix="pointsman-soak-") as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(_policy(policy.parent, cache=cache, morph=around.morph, turn=0))
        command = [
            *PYTHON,
            "serve",
            "--admin-listen",
            "",
            "--http-listen",
            "",
            "--policy-file",
            str(policy),
        ]
        command += ["--listen", f"127.0.0.1:{port}"]
        command += ["--metrics-listen", f"127.0.0.1:{metrics_port}"]
        environment = KEY | {
            "POINTSMAN_HASH_KEY": "hash-key-of-the-soak",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{around.sink}",
            "OTEL_TRACES_SAMPLER": "always_on",
        }
        with started(name, command, port=port, environment=environment) as running:
            yield Soaked(name, running, metrics_port, policy, cache, around.morph)


def resources(pid: int) -> tuple[float, int, int]:
    """Resident memory in megabytes, open descriptors and threads of a process (Linux)."""
    proc = Path(f"/proc/{pid}")
    status = dict(
        line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line
    )
    resident = int(status["VmRSS"].split()[0]) / 1_024
    return resident, sum(1 for _ in (proc / "fd").iterdir()), int(status["Threads"])


def _policy(folder: Path, *, cache: str, morph: int, turn: int) -> str:
    return policy_text(
        engines={
            "order": ["morph", "local"],
            "morph": {"url": f"http://127.0.0.1:{morph}"},
            "local": {"quality_loss": {"balanced": QUALITY_LOSSES[turn % len(QUALITY_LOSSES)]}},
        },
        cache={"url": cache, "max_entries": ENTRIES, "ttl": "5m"},
        flags={
            "sources": ["policy_file"],
            "morph_router_enabled": True,
            "decision_log_sample_rate": 1.0,
        },
        # Small files, so that they are rotated many times.
        decision_log={"stdout": False, "file": f"{folder}/log", "file_max_bytes": 1 << 20},
    )


def _scraped(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SCRAPE) as page:
        return added_up(page.read().decode())


def added_up(page: str) -> dict[str, float]:
    """The numbers of a Prometheus page by name."""
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", page, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found
