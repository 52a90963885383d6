"""`pointsman ext-proc` as a program of its own, and the example Envoy in front of it."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from e2e.parts.envoy import envoy
from e2e.parts.processes import Program, program
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "deploy" / "envoy" / "ext_proc.yaml"
STATIC_PICK = "anthropic/claude-sonnet-4.6"


@dataclass(frozen=True)
class ExtProc:
    """A running `pointsman ext-proc`."""

    program: Program
    address: str
    metrics_url: str

    def count(self, **labels: str) -> float:
        """Its requests so far with these labels."""
        lines = httpx.get(self.metrics_url).raise_for_status().text.splitlines()
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("pointsman_ext_proc_requests_total")
            and all(each in line for each in wanted)
        )


@contextlib.contextmanager
def ext_proc(folder: Path, *flags: str, pointsman: str) -> Iterator[ExtProc]:
    """Run one inside the block, for the tier of the example; ready when it starts."""
    address, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    command = (sys.executable, "-m", "pointsman_server", "ext-proc", "--listen", address,
               "--metrics-listen", metrics, "--address", pointsman,
               "--tier", f"kilo-auto/frontier={STATIC_PICK}",
               "--max-body-bytes", "16777216", *flags)  # fmt: skip
    with program(command, name="ext-proc", folder=folder) as running:
        running.said(r"processing on \S+")
        yield ExtProc(running, address, f"http://{metrics}/metrics")


@contextlib.contextmanager
def example_envoy(
    folder: Path,
    *,
    processor: str,
    provider: str,
    provider_of_claude: str,
    collector: str | None = None,
) -> Iterator[str]:
    """The Envoy of deploy/envoy/ext_proc.yaml with other addresses; the base URL of its listener.

    Addresses are `host:port`, with anything of a URL around it. With a `collector` it traces.
    """
    addresses = {
        "pointsman_ext_proc": processor,
        "provider": provider,
        "provider_of_claude": provider_of_claude,
    }
    config: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    [listener] = config["static_resources"]["listeners"]
    listener["address"]["socket_address"]["port_value"] = 0
    [connections] = listener["filter_chains"][0]["filters"]
    # A machine that is busy with other tests takes longer for 16 MiB than the example allows.
    connections["typed_config"]["http_filters"][0]["typed_config"]["message_timeout"] = "5s"
    if collector:
        _trace(config, listener)
        addresses["collector"] = collector
    for cluster in config["static_resources"]["clusters"]:
        [endpoints] = cluster["load_assignment"]["endpoints"]
        [endpoint] = endpoints["lb_endpoints"]
        url = addresses[cluster["name"]]
        port = httpx.URL(url if "://" in url else f"http://{url}").port
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
    folder.mkdir(exist_ok=True)
    with envoy(folder, config) as running:
        yield f"http://{running.address(listener['name'])}"


def _trace(config: dict[str, Any], listener: dict[str, Any]) -> None:
    """Let Envoy export spans by OTLP, to a cluster like that of the processor."""
    [connections] = listener["filter_chains"][0]["filters"]
    connections["typed_config"]["tracing"] = {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}},
                "service_name": "edge",
            },
        }
    }
    clusters = config["static_resources"]["clusters"]
    [like] = [each for each in clusters if each["name"] == "pointsman_ext_proc"]
    clusters.append(copy.deepcopy(like) | {"name": "collector"})
    clusters[-1]["load_assignment"]["cluster_name"] = "collector"
