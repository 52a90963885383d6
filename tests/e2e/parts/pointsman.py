"""`pointsman serve` and `pointsman morph-api` as programs of their own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import httpx
import yaml
from e2e.parts.processes import PATIENCE, Program, program, until
from pointsman.v1 import describe_routing_pb2, routing_service_pb2_grpc
from support.certificates import Pair
from support.ports import free_port

MORPH_KEY = "e2e-morph-key"
HASH_KEY = "e2e-hash-key-of-tests"
_POINTSMAN = (sys.executable, "-m", "pointsman_server")


@dataclass
class Service:
    """A running `pointsman serve`."""

    program: Program
    address: str
    """`host:port` of the gRPC server."""
    metrics_url: str
    policy: Path
    decision_log: Path
    tokens: Path
    """Who may call, where it is asked."""

    def decisions(self) -> list[dict[str, Any]]:
        """The lines of the decision log so far."""
        if not self.decision_log.exists():
            return []
        whole = self.decision_log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def decision(self, number: int = 1, **wanted: object) -> dict[str, Any]:
        """Wait for the `number`-th line whose fields are as `wanted`."""

        def lines() -> list[dict[str, Any]]:
            return [line for line in self.decisions() if wanted.items() <= line.items()]

        until(
            lambda: len(lines()) >= number,
            what=lambda: (
                f"decision {number} with {wanted}; the service said:\n{self.program.tail()}"
            ),
        )
        return lines()[number - 1]


def policy_document(morph_url: str | None = None, **sections: Any) -> dict[str, Any]:
    """The built-in policy file, served to everyone and logged, and top-level `sections` replaced.

    With `morph_url`, engine `morph` asks there; it is asked only where the flag is on.
    """
    text = files("pointsman_server.policies").joinpath("default.yaml").read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    document["flags"]["decision_log_sample_rate"] = 1.0
    document["serve_percent"] = 100
    if morph_url:
        document["engines"]["morph"]["url"] = morph_url
    return document | sections


@contextlib.contextmanager
def pointsman_serve(
    folder: Path,
    *,
    policy: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    tls: Pair | None = None,
    token: str | None = None,
) -> Iterator[Service]:
    """Serve inside the block: ready when the block starts, with the flag of engine `morph` on.

    `environment` has further variables, such as `OTEL_*` or `POINTSMAN_*`. A `port` is given to
    start another server where one has ended. With `tls` it shows this certificate, and lets in who
    has one of the same authority; with `token` it lets in who has that.
    """
    port = port or free_port()
    metrics = f"127.0.0.1:{free_port()}"
    decision_log = folder / f"decisions-{port}.jsonl"
    path = folder / f"policy-{port}.yaml"
    log = {"stdout": False, "file": str(decision_log)}
    tokens = folder / f"tokens-{port}"
    if token is not None:
        tokens.write_text(f"gateway {hashlib.sha256(token.encode()).hexdigest()}\n")
    path.write_text(yaml.safe_dump({**policy, "decision_log": log}, sort_keys=False))
    address = f"127.0.0.1:{port}"
    flags = ("--listen", address, "--metrics-listen", metrics, "--policy-file", path)
    variables = {
        "MORPH_API_KEY": MORPH_KEY,
        "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
        "POINTSMAN_HASH_KEY": HASH_KEY,
        "POINTSMAN_ADMIN_LISTEN": "",
        "POINTSMAN_HTTP_LISTEN": "",
        **(_tls_settings(tls) if tls else {}),
        **({"POINTSMAN_TOKENS_FILE": str(tokens)} if token else {}),
        **(environment or {}),
    }
    command = (*_POINTSMAN, "serve", *flags)
    with program(command, name="pointsman", folder=folder, environment=variables) as running:
        running.said(r"serving on \S+")
        _describe(address, tls, token)
        yield Service(running, address, f"http://{metrics}/metrics", path, decision_log, tokens)


def _tls_settings(tls: Pair) -> dict[str, str]:
    return {
        "POINTSMAN_TLS_CERT_FILE": str(tls.certificate),
        "POINTSMAN_TLS_KEY_FILE": str(tls.key),
        "POINTSMAN_TLS_CLIENT_CA_FILE": str(tls.ca),
    }


def _describe(address: str, tls: Pair | None, token: str | None) -> None:
    """Ask what is in force: then the service has read its switches, the log's rate among them."""
    with _channel(address, tls) as channel:
        stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
        asked = describe_routing_pb2.DescribeRoutingRequest()
        metadata = [("authorization", f"Bearer {token}")] if token else None
        stub.DescribeRouting(asked, timeout=PATIENCE, metadata=metadata)


def _channel(address: str, tls: Pair | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(
        tls.ca.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
    )
    port = address.rpartition(":")[2]  # certificates are for names
    return grpc.secure_channel(f"localhost:{port}", credentials)


@dataclass
class MorphApi:
    """A running `pointsman morph-api`."""

    program: Program
    url: str

    def script(self, *steps: Mapping[str, Any]) -> None:
        """What the next calls meet, in order; see docs/morph-api.md."""
        self._ask("POST", "/testing/faults", json=list(steps)).raise_for_status()

    def always(self, model: str) -> None:
        """Answer this router id to every call."""
        self.script({"json": {"model": model}, "times": -1})

    def calls(self) -> list[dict[str, Any]]:
        """What arrived, oldest first."""
        answer = self._ask("GET", "/testing/calls").raise_for_status()
        calls: list[dict[str, Any]] = answer.json()["calls"]
        return calls

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {MORPH_KEY}"}
        return httpx.request(method, self.url + path, headers=headers, **arguments)


@contextlib.contextmanager
def morph_api(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    policy: Path | None = None,
    command: str = "morph-api",
) -> Iterator[MorphApi]:
    """A Morph-compatible endpoint, or another one, whose answers can be scripted."""
    address = f"127.0.0.1:{free_port()}"
    whole = (*_POINTSMAN, command, "--listen", address, "--key-env", "MORPH_API_KEY", "--faults")
    whole += () if policy is None else ("--policy-file", policy)
    variables = {"MORPH_API_KEY": MORPH_KEY, **(environment or {})}
    with program(whole, name=command, folder=folder, environment=variables) as running:
        running.said(r"serving on \S+")
        yield MorphApi(running, f"http://{address}")
