"""Run the decision cases against a real server, by HTTP or by a client of your language.

    python tools/conformance.py [--client "COMMAND"] [--only TEXT]

The cases are tests/data/decision_cases.json; docs/conformance.md is the contract of a runner. This
one starts `pointsman serve` and a scripted Morph endpoint (`pointsman morph-api --faults`), sends
every request of every portable case, and compares. With `--client`, a program of yours sends them:
one JSON document a line in, one out.

The exit status is 1 if a case failed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from google.protobuf import json_format
from google.rpc import error_details_pb2
from pointsman.v1 import route_decision_pb2 as pb

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
SUITE = json.loads((DATA / "decision_cases.json").read_text())
PATH = "/pointsman.v1.RoutingService/RouteDecision"
MORPH_PATH = "/v1/router/multimodel"
KEY = "key-1"
PATIENCE = 60.0

# Only a runner inside of the process can hold a clock, dice, a cache or a classifier.
HELD = {"advance_seconds", "classifier", "cache", "sample_rate", "random", "key", "switches"}
HELD |= {"append_wire_hex", "authorization"}
UNREACHABLE = {"connect", "dns"}
FAULTS: dict[str, dict[str, Any]] = {
    "timeout": {"delay_ms": 60_000},
    "timeout_during_body": {"stall_body": True},
    "broken_body": {"broken_body": True},
    "reset": {"reset": True},
}


class Client(Protocol):
    """Sends one request; the result has `response`, or `status` and `bad_fields`."""

    def ask(self, server: Server, request: dict[str, Any]) -> dict[str, Any]:
        """Send it, and wait."""
        ...


@dataclass(frozen=True)
class Server:
    """A running server: `address` speaks gRPC, `http` is the base URL of the HTTP listener."""

    address: str
    http: str


def portable(case: dict[str, Any]) -> bool:
    """Whether a runner outside of the process can run the case."""
    steps = case["steps"]
    faults = {step.get("morph", {}).get("fault") for step in steps}
    held = any(HELD & step.keys() or step["expect"].get("classification") for step in steps)
    return not held and not faults & UNREACHABLE and "server_token" not in case


class OverHttp:
    """The Connect protocol with JSON: an ordinary POST."""

    def ask(self, server: Server, request: dict[str, Any]) -> dict[str, Any]:
        """The answer, or the status and the bad fields of the refusal."""
        # The header of generated clients: unknown enum values may come from a newer client.
        headers = {"content-type": "application/json", "connect-protocol-version": "1"}
        body = json.dumps(request).encode()
        posted = urllib.request.Request(server.http + PATH, data=body, headers=headers)
        try:
            with urllib.request.urlopen(posted, timeout=PATIENCE) as answer:
                return {"response": json.load(answer)}
        except urllib.error.HTTPError as refused:
            error = json.load(refused)
        bad = error_details_pb2.BadRequest()
        for detail in error.get("details", ()):
            if detail["type"] == bad.DESCRIPTOR.full_name:
                value = detail["value"]  # base64 without its padding
                bad.MergeFromString(base64.b64decode(value + "=" * (-len(value) % 4)))
        fields = [violation.field for violation in bad.field_violations]
        return {"status": error["code"].upper(), "bad_fields": fields}


class Program:
    """A client of another language: JSON lines over its standard input and output."""

    def __init__(self, command: str) -> None:
        self._child = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, server: Server, request: dict[str, Any]) -> dict[str, Any]:
        """One line to the program, and its line back."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        line = {"address": server.address, "http": server.http, "request": request}
        self._child.stdin.write(json.dumps(line) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        return answer

    def close(self) -> None:
        """End of input is the end of the program."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(PATIENCE)


class Morph:
    """The scripted endpoint behind the server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def script(self, morph: dict[str, Any]) -> None:
        """Every next call meets this, and earlier calls are forgotten."""
        step = dict(FAULTS[morph["fault"]]) if "fault" in morph else {}
        if "answer" in morph:
            step["json"] = morph["answer"]
        if "raw" in morph:
            step["body"] = morph["raw"]
        if morph.get("redirect"):
            step["redirect"] = self.url + MORPH_PATH
        for name in ("status", "delay_ms", "slow_body_ms_per_byte", "huge_body_bytes"):
            if name in morph:
                step[name] = morph[name]
        self._send("DELETE", "calls")
        self._send("POST", "faults", [step | {"times": -1}])

    def calls(self) -> list[dict[str, Any]]:
        """The calls since the last script."""
        calls: list[dict[str, Any]] = self._send("GET", "calls")["calls"]
        return calls

    def _send(self, method: str, name: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        request = urllib.request.Request(
            f"{self.url}/testing/{name}", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
            return json.loads(text) if text else None


# ------------------------------------------------------------------ programs


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[None]:
    """A `pointsman` command inside the block, once it has reported its listener."""
    log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "POINTSMAN_"))}
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "pointsman_server", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherited | environment,
        )
    try:
        end = time.monotonic() + PATIENCE
        while "serving on" not in log.read_text(errors="replace"):
            if child.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"pointsman {arguments[0]} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        child.terminate()
        child.wait(PATIENCE)


@contextlib.contextmanager
def morph_endpoint(folder: Path) -> Iterator[Morph]:
    """The scripted Morph endpoint."""
    address = f"127.0.0.1:{free_port()}"
    flags = ("--listen", address, "--key-env", "MORPH_API_KEY", "--faults")
    with running(folder, "morph-api", *flags, MORPH_API_KEY=KEY):
        yield Morph(f"http://{address}")


@contextlib.contextmanager
def served(
    folder: Path, morph: Morph, changes: dict[str, Any], *, shared: bool
) -> Iterator[Server]:
    """A server with the policy file of the cases and the changes of one."""
    policy = yaml.safe_load((DATA / SUITE["about"]["policy_file"]).read_text()) | changes
    key = folder / "key"
    key.write_text(KEY)
    policy["engines"]["morph"] |= {"url": morph.url, "key_file": str(key)}
    if shared:  # no case opens the circuit of the next one
        policy["engines"]["morph"]["breaker"] = {"failures": 1000}
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))
    server = Server(f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")
    settings = {
        "POINTSMAN_LISTEN": server.address,
        "POINTSMAN_HTTP_LISTEN": server.http.removeprefix("http://"),
        "POINTSMAN_METRICS_LISTEN": "",
        "POINTSMAN_ADMIN_LISTEN": "",
        "POINTSMAN_HASH_KEY": "hash-key-of-the-conformance-cases",
        "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
        "POINTSMAN_POLICY_FILE": str(file),
    }
    with running(folder, "serve", **settings):
        yield server


# ------------------------------------------------------------------ comparison


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def differences(found: dict[str, Any], expect: dict[str, Any]) -> Iterator[str]:
    """All that is expected and not found."""
    status = found.get("status", "OK")
    if status != expect["status"]:
        yield f"status: {status} instead of {expect['status']}"
        return
    if "response" not in found:
        if sorted(found["bad_fields"]) != sorted(expect.get("bad_fields", found["bad_fields"])):
            yield f"bad_fields: {found['bad_fields']} instead of {expect['bad_fields']}"
        return
    answer = json_format.ParseDict(
        found["response"], pb.RouteDecisionResponse(), ignore_unknown_fields=True
    )
    plain = as_expected(answer)
    if expect["decision"] is None:
        expected: dict[str, Any] = {**expect, "decision": None}
    else:
        expected = {**expect, "decision": {**(plain["decision"] or {}), **expect["decision"]}}
    for name in ("outcome", "reason", "serve_model", "shadow", "failures", "decision", "dropped"):
        if name not in expect:
            continue
        wanted = normalised(expected[name] or ("" if name == "serve_model" else expected[name]))
        if plain[name] != wanted:
            yield f"{name}: {plain[name]} instead of {wanted}"


def as_expected(answer: pb.RouteDecisionResponse) -> dict[str, Any]:
    """An answer in the terms of `expect`."""
    decision = fields(answer.decision) if answer.HasField("decision") else None
    return {**fields(answer), "decision": decision}


def fields(message: Any) -> dict[str, Any]:
    """Every field by name: absent is `None`, an enum value has no prefix."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.enum_type:
            found[field.name] = enum_name(field.enum_type, value)
        elif field.is_repeated:
            found[field.name] = normalised(
                [fields(each) if field.message_type else each for each in value]
            )
        elif field.message_type:
            found[field.name] = fields(value) if message.HasField(field.name) else None
        elif field.has_presence and not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = value
    return found


def enum_name(enum: Any, value: int) -> str | None:
    """`ROUTED` for `OUTCOME_ROUTED`; `None` for an unspecified one."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    short: str = enum.values_by_number[value].name.removeprefix(prefix)
    return None if short == "UNSPECIFIED" else short


def normalised(value: Any) -> Any:
    """Dropped candidates come in any order."""
    if isinstance(value, dict):
        return {name: normalised(each) for name, each in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict) and "reason" in value[0]:
        return sorted(value, key=lambda each: str(each["model"]))
    return value


def morph_differences(calls: list[dict[str, Any]], expect: dict[str, Any]) -> Iterator[str]:
    """The calls that arrived at the endpoint, against the expected ones."""
    if len(calls) != expect["morph_calls"]:
        yield f"morph_calls: {len(calls)} instead of {expect['morph_calls']}"
    elif calls and "morph_body" in expect and calls[0]["body"] != expect["morph_body"]:
        yield f"morph_body: {calls[0]['body']} instead of {expect['morph_body']}"
    for text in expect.get("morph_must_not_contain", ()):
        if any(text in f"{call['headers']} {call['body']}" for call in calls):
            yield f"morph_must_not_contain: {text!r} arrived"


# ------------------------------------------------------------------ the run


def run_case(
    case: dict[str, Any], server: Server, morph: Morph, client: Client, *, user: str | None
) -> list[str]:
    """The differences of all steps of a case."""
    base = SUITE["base"]
    wrong: list[str] = []
    for number, step in enumerate(case["steps"]):
        request = merge_patch(base["request"], step.get("request", {}))
        if user is not None:
            request["caller"] = {**request["caller"], "user_id": user}
        morph.script(step.get("morph", base["morph"]))
        found = client.ask(server, request)
        wrong += [f"step {number}: {each}" for each in differences(found, step["expect"])]
        wrong += [
            f"step {number}: {each}" for each in morph_differences(morph.calls(), step["expect"])
        ]
    return wrong


def groups(cases: list[dict[str, Any]]) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Cases that can share a server, and whether they do.

    A case with callers, a circuit or a broken connection has a server to itself; others get a user
    each instead.
    """
    shared: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        text = json.dumps(case["steps"])
        if any(each in text for each in ('"caller"', '"fault"', "circuit_open")):
            yield [case], False
        else:
            changes = json.dumps(case.get("policy_changes", {}), sort_keys=True)
            shared.setdefault(changes, []).append(case)
    for members in shared.values():
        yield members, True


def run(client: Client, *, only: str = "") -> dict[str, list[str]]:
    """Every portable case by name, with its differences."""
    cases = [case for case in SUITE["cases"] if portable(case) and only in case["name"]]
    results: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with morph_endpoint(folder) as morph:
            for members, shared in groups(cases):
                changes = members[0].get("policy_changes", {})
                with served(folder, morph, changes, shared=shared) as server:
                    for case in members:
                        user = f"user-{len(results)}" if shared else None
                        results[case["name"]] = run_case(case, server, morph, client, user=user)
    return results


def main() -> int:
    """Run, and list the failures."""
    parser = argparse.ArgumentParser(description="Run the decision cases against a real server.")
    parser.add_argument("--client", help="the command of a client; default: JSON over HTTP")
    parser.add_argument("--only", default="", help="run the cases whose names contain this text")
    arguments = parser.parse_args()
    program = Program(arguments.client) if arguments.client else None
    results = run(program or OverHttp(), only=arguments.only)
    if program:
        program.close()
    failed = {name: wrong for name, wrong in results.items() if wrong}
    for name, wrong in failed.items():
        print(f"FAILED {name}", *wrong, sep="\n    ")
    held = len(SUITE["cases"]) - sum(map(portable, SUITE["cases"]))
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, {held} need a runner inside")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
