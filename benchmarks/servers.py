"""Servers under load: started on a free port below the ephemeral range, pinned, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

FIRST_PORT, LAST_PORT = 21_000, 31_000
"""Below 32768: ephemeral ports of the load itself cannot collide with a server's."""


@dataclass(frozen=True)
class Running:
    """A server process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Processor time so far of all threads of it and of the processes that it started."""
        return sum(self.cpu_by_process().values())

    def cpu_by_process(self) -> dict[int, float]:
        """The same, by the process."""
        return {pid: _cpu_nanoseconds(pid) / 1e9 for pid in _family(self.process.pid)}

    def cpu_nanoseconds(self) -> int:
        """Processor time so far of all threads of it alone: quick enough to ask around a call."""
        return _cpu_nanoseconds(self.process.pid)


@contextmanager
def started(
    name: str,
    command: list[str],
    *,
    port: int,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
    patience: float = 60.0,
) -> Iterator[Running]:
    """Run `command` until the block ends; ready when its port answers, within `patience` s."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    process = subprocess.Popen(
        [*pinned, *command],
        env=os.environ | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process, seconds=patience)
        yield Running(name, port, process)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def pointsman(
    name: str,
    *,
    core: int | None = None,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    workers: int = 1,
) -> Iterator[Running]:
    """`pointsman serve` as shipped, with the decision log on a file in a scratch folder.

    `assignments` are `path=value`, set over the policy file.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(policy_text(decision_log={"stdout": False, "file": f"{folder}/log"}))
        command = [
            python, "-m", "pointsman_server", "serve", "--listen", f"127.0.0.1:{port}",
            "--admin-listen", "", "--http-listen", "", "--metrics-listen", "",
            "--policy-file", str(policy),
            "--workers", str(workers),
            *(part for each in assignments for part in ("--set", each)),
        ]  # fmt: skip
        settings = {"POINTSMAN_HASH_KEY": "benchmark-hash-key"} | dict(environment or {})
        with started(name, command, port=port, core=core, environment=settings) as running:
            yield running


@contextmanager
def morph(name: str, *, core: int | None = None, hangs_on: str = "") -> Iterator[Running]:
    """An endpoint like Morph's that answers at once, unless a word is in the request."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.instant_morph", str(port), hangs_on]
    with started(name, command, port=port, core=core) as running:
        yield running


@contextmanager
def asking_morph(
    name: str, *, port: int, core: int | None = None, assignments: Sequence[str] = ()
) -> Iterator[Running]:
    """`pointsman serve` with engine `morph` on, which it asks on `port` of this machine."""
    assignments = (
        *assignments,
        f"engines.morph.url=http://127.0.0.1:{port}",
        "flags.morph_router_enabled=true",
    )
    environment = {"MORPH_API_KEY": "benchmark"}
    with pointsman(name, core=core, environment=environment, assignments=assignments) as running:
        yield running


@dataclass(frozen=True)
class Sink:
    """A collector that runs."""

    port: int
    told: Path

    def count(self) -> int:
        """Server spans that arrived so far."""
        return int(self.told.read_text()) if self.told.exists() else 0


@contextmanager
def span_sink(*, core: int | None = None) -> Iterator[Sink]:
    """A collector that counts spans."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "count"
        command = [sys.executable, "-m", "benchmarks.span_sink", str(port), str(told)]
        with started("sink", command, port=port, core=core):
            yield Sink(port, told)


@contextmanager
def traced(
    name: str,
    *,
    sink: int,
    core: int | None = None,
    share: float = 1.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """`pointsman serve` that records a share of calls, for the collector on `sink`."""
    settings = dict(environment or {}) | {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{sink}",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(share),
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    with pointsman(name, core=core, environment=settings) as running:
        yield running


@contextmanager
def echo(
    name: str,
    *,
    core: int | None = None,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """The bare control on the stack that the server runs on."""
    port = free_port()
    command = [python, "-m", "benchmarks.echo_server", str(port)]
    with started(name, command, port=port, core=core, environment=environment) as running:
        yield running


@contextmanager
def stock(python: Path, *, core: int | None = None) -> Iterator[Running]:
    """The bare control as gRPC ships, under an interpreter that has that and protobuf."""
    port = free_port()
    command = [str(python), "-m", "benchmarks.echo_server", str(port), "--stock"]
    environment = {"PYTHONPATH": os.pathsep.join(("protos", "."))}
    with started("stock", command, port=port, core=core, environment=environment) as running:
        yield running


def _family(pid: int) -> list[int]:
    """A process and all that came of it."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *(each for child in children for each in _family(child))]


def _cpu_nanoseconds(pid: int) -> int:
    """By its clock (clock_getcpuclockid(3), in Linux): `/proc` tells hundredths of a second."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def policy_text(**sections: object) -> str:
    """The built-in policy file with some sections replaced."""
    default = files("pointsman_server.policies").joinpath("default.yaml").read_text()
    return yaml.safe_dump(yaml.safe_load(default) | sections, sort_keys=False)


def free_port() -> int:
    """A port that nobody listens on."""
    for port in range(FIRST_PORT + os.getpid() % 1000, LAST_PORT):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and port not in _TAKEN:
                _TAKEN.add(port)
                return port
    raise RuntimeError("no free port")


_TAKEN: set[int] = set()


def _wait(port: int, process: subprocess.Popen[bytes], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the server does not listen")
