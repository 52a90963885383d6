"""A real Jaeger with its own pages: built from Go modules into the cache, run, and asked."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.parts.cache import cached
from e2e.parts.collector import export_settings
from e2e.parts.processes import Program, program, until
from e2e.parts.toolchain import find, need, run
from support.ports import free_port

# Of a module that its main package may not be installed from by name, since it replaces others.
JAEGER = ("github.com/jaegertracing/jaeger@v1.76.0",
          "h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=")  # fmt: skip
# Jaeger's module lacks its pages. This one has them as they are released, each file packed.
PAGES = ("github.com/tonistiigi/jaeger-ui-rest@v0.0.0-20250408171107-3dd17559e117",
         "h1:XFwyh2JZwR5aiKLXHX2C1n0v5F11dCJpyGL1W/Cpl3U=")  # fmt: skip
_PORTS = (
    "admin.http",
    "collector.grpc-server",
    "collector.http-server",
    "collector.otlp.http",
    "query.grpc-server",
)


@dataclass(frozen=True)
class Node:
    """One span as Jaeger's query API has it, and those below it, in the order of their starts."""

    service: str
    name: str
    tags: dict[str, Any]
    below: tuple[Node, ...]

    @property
    def kind(self) -> str:
        """`server`, `client` or `internal`."""
        return str(self.tags.get("span.kind", ""))

    @property
    def failed(self) -> bool:
        """Whether Jaeger shows it as an error."""
        return self.tags.get("error") is True

    def walk(self) -> Iterator[Node]:
        """It and all below it."""
        yield self
        for node in self.below:
            yield from node.walk()

    def outline(self) -> list[str]:
        """A line a span, indented by depth: `service name`."""
        lines = [f"{self.service} {self.name}"]
        return lines + [f"  {line}" for node in self.below for line in node.outline()]


@dataclass(frozen=True)
class Jaeger:
    """A running Jaeger."""

    program: Program
    otlp: str
    url: str
    """Of its pages and of its query API."""

    def settings(self, service: str) -> dict[str, str]:
        """The standard variables that make a program export here, soon."""
        return export_settings(self.otlp, service)

    def page(self, trace: str) -> str:
        """Where its user interface shows a trace."""
        return f"{self.url}/trace/{trace}"

    def trace(self, trace: str, *, spans: int) -> list[Node]:
        """The roots of a trace: wait until it has as many spans.

        A root is a span whose parent is not in the trace.
        """
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            found[:] = self._spans(trace)
            return len(found) >= spans

        until(
            arrived,
            what=lambda: (
                f"{spans} spans of {trace}; there are {sorted(s['operationName'] for s in found)}"
            ),
        )
        return _tree(found)

    def _spans(self, trace: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/traces/{trace}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        [document] = answer.raise_for_status().json()["data"]
        services = {name: p["serviceName"] for name, p in document["processes"].items()}
        return [span | {"service": services[span["processID"]]} for span in document["spans"]]


@contextlib.contextmanager
def jaeger(folder: Path) -> Iterator[Jaeger]:
    """Run one inside the block, with everything in memory."""
    installed = install()
    otlp, query = (f"127.0.0.1:{free_port()}" for _ in range(2))
    addresses = {name: f"127.0.0.1:{free_port()}" for name in _PORTS}
    addresses |= {"collector.otlp.grpc": otlp, "query.http-server": query}
    command = [
        installed / "jaeger",
        *(f"--{name}.host-port={address}" for name, address in addresses.items()),
        f"--query.static-files={installed / 'pages'}",
        "--memory.max-traces=10000",
    ]
    with program(command, name="jaeger", folder=folder) as running:
        admin = f"http://{addresses['admin.http']}/"
        until(lambda: running.child.poll() is not None or _ready(admin), what="Jaeger to be ready")
        assert running.child.poll() is None, running.tail()
        yield Jaeger(running, f"http://{otlp}", f"http://{query}")


def install() -> Path:
    """Where `jaeger` and its `pages` are; a first build takes minutes and two gigabytes."""
    need("go")
    return cached(f"jaeger-{JAEGER[0].rpartition('@')[2]}", _build)


def _build(folder: Path) -> None:
    source = folder / "source"
    shutil.copytree(_module(*JAEGER, folder=folder), source)
    build = ["env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags=-s -w"]
    run([*build, "-o", folder / "jaeger", "./cmd/all-in-one"], directory=source)
    _delete(source)
    packed = _module(*PAGES, folder=folder) / "public"
    for path in filter(Path.is_file, packed.rglob("*")):
        page = folder / "pages" / path.relative_to(packed)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(gzip.decompress(path.read_bytes()))


def _module(name: str, digest: str, *, folder: Path) -> Path:
    """The folder of a Go module, if it is the one that is meant."""
    command = [str(find("go")), "mod", "download", "-json", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)
    module = json.loads(done.stdout)
    assert module["Sum"] == digest, f"{name} is another than the one that is pinned"
    return Path(module["Dir"])


def _delete(tree: Path) -> None:
    """Go keeps its modules read-only, and so is a copy."""
    for path in (tree, *filter(Path.is_dir, tree.rglob("*"))):
        path.chmod(0o755)
    shutil.rmtree(tree)


def _ready(admin: str) -> bool:
    try:
        return httpx.get(admin).is_success
    except httpx.HTTPError:
        return False


def _tree(spans: list[dict[str, Any]]) -> list[Node]:
    known = {span["spanID"] for span in spans}

    def below(parent: str) -> list[Node]:
        children = [s for s in spans if _parent(s, known) == parent]
        return [
            Node(
                service=span["service"],
                name=span["operationName"],
                tags={tag["key"]: tag["value"] for tag in span["tags"]},
                below=tuple(below(span["spanID"])),
            )
            for span in sorted(children, key=lambda s: s["startTime"])
        ]

    return below("")


def _parent(span: dict[str, Any], known: set[str]) -> str:
    above = (r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF")
    return next((id for id in above if id in known), "")  # noqa: A001
