"""A real Prometheus that runs the project's own configuration, and what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from e2e.parts.processes import program

from support.machine import program as needed
from support.ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector that an expression has at this moment."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        said = answer.json()
        assert said["status"] == "success", f"{said.get('error')}: {expression}"
        found: list[dict[str, Any]] = said["data"]["result"]
        return found

    def number(self, expression: str) -> float:
        """The one number of an expression; not a number where it has none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else float("nan")

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its state, `lastError` and alerts."""
        groups = httpx.get(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def series(self, selector: str) -> list[dict[str, str]]:
        """The label sets that a selector finds."""
        answer = httpx.get(f"{self.url}/api/v1/series", params={"match[]": selector})
        found: list[dict[str, str]] = answer.json()["data"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, *, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Prometheus as it is deployed, but with these targets and in a hurry."""
    document = yaml.safe_load(CONFIGURATION.read_text())
    document["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    document["rule_files"] = [str(CONFIGURATION.parent / name) for name in document["rule_files"]]
    (job,) = document["scrape_configs"]
    job["static_configs"] = [{"targets": list(targets)}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(document))
    address = f"127.0.0.1:{free_port()}"
    command = [
        needed("prometheus", package="prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    with program(command, name="prometheus", folder=folder) as running:
        running.said("Server is ready to receive web requests")
        yield Prometheus(f"http://{address}")
