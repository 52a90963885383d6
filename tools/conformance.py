"""Run the conformance cases: a server that each case scripts, and a client of your language.

    python tools/conformance.py [--client "COMMAND"] [--only TEXT] [--ways unary,stream,batch]
    python tools/conformance.py --serve

The cases are data in tests/data; docs/conformance.md is the contract. Without `--client` this
program sends the requests itself, as JSON over HTTP. With `--serve` it is the server's half for a
runner of yours: JSON lines on its standard input and output.

The exit status is 1 if a case failed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import os
import shlex
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from google.rpc import error_details_pb2  # noqa: E402
from support.conformance.kit import WAYS, Case, Kit, cases  # noqa: E402
from support.conformance.lines import found_in  # noqa: E402

PATH = "/pointsman.v1.RoutingService/RouteDecision"
PATIENCE = 60.0
LONGEST_LINE = 16 * 1024 * 1024


class Client(Protocol):
    """Sends one request; the result has `response`, or `status` and `bad_fields`."""

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """Send it, and wait."""
        ...


class OverHttp:
    """The Connect protocol: an ordinary POST of JSON."""

    ways = ("unary",)

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """The answer, or the status and the bad fields of the refusal."""
        return await asyncio.to_thread(self._post, line)

    def _post(self, line: dict[str, Any]) -> dict[str, Any]:
        # The header of generated clients: unknown enum values may come from a newer client.
        headers = {"content-type": "application/json", "connect-protocol-version": "1"}
        if "token" in line:
            headers["authorization"] = f"Bearer {line['token']}"
        body = json.dumps(line["request"]).encode()
        posted = urllib.request.Request(line["http"] + PATH, data=body, headers=headers)
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

    ways = WAYS

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @classmethod
    async def start(cls, command: str) -> Program:
        """Start the command."""
        arguments = shlex.split(command)
        return cls(
            await asyncio.create_subprocess_exec(
                *arguments, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE
            )
        )

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """One line to the program, and its line back."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        answered = b""
        with contextlib.suppress(ConnectionError):
            self._child.stdin.write(json.dumps(line).encode() + b"\n")
            await self._child.stdin.drain()
            answered = await asyncio.wait_for(self._child.stdout.readline(), PATIENCE)
        if not answered:
            raise SystemExit(f"the client ended with status {await self._child.wait()}")
        answer: dict[str, Any] = json.loads(answered)
        return answer

    async def close(self) -> None:
        """End of input is the end of the program."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        await asyncio.wait_for(self._child.wait(), PATIENCE)


async def run_case(kit: Kit, case: Case, client: Client) -> list[str]:
    """The differences of all steps of a case."""
    addresses = await kit.open(case)
    wrong: list[str] = []
    number = 0
    while (sent := await kit.arm()) is not None:
        found = found_in(await client.ask({**addresses, "way": case.way, **sent}))
        wrong += [f"step {number}: {each}" for each in await kit.check(found)]
        number += 1
    return wrong


async def run(client: Client, selected: list[Case]) -> dict[str, list[str]]:
    """Every case by name and way, with its differences."""
    async with Kit() as kit:
        return {f"{each.name} ({each.way})": await run_case(kit, each, client) for each in selected}


def listed(case: Case) -> dict[str, str]:
    """A case as `cases` lists it."""
    return {"case": case.name, "way": case.way, "suite": case.suite}


async def serve() -> None:
    """Answer the commands of a runner, a line each, until the end of the input."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    # Anything else that this process writes goes to the error output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    known = {(case.name, case.way): case for case in cases()}
    async with Kit() as kit:
        while line := await reader.readline():
            command = json.loads(line)
            match command:
                case {"do": "cases"}:
                    listed = [
                        {"case": n, "way": w, "suite": c.suite} for (n, w), c in known.items()
                    ]
                    answer: dict[str, Any] = {"cases": listed}
                case {"do": "open", "case": name, "way": way} if (name, way) in known:
                    answer = dict(await kit.open(known[name, way]))
                case {"do": "next"}:
                    answer = await kit.arm() or {"end": True}
                case {"do": "check", "found": found}:
                    answer = {"wrong": await kit.check(found_in(found))}
                case _:
                    answer = {"error": f"not a command or a case: {json.dumps(command)[:200]}"}
            print(json.dumps(answer), file=answers, flush=True)


async def run_all(arguments: argparse.Namespace) -> int:
    """Run the selected cases, and list the failures."""
    program = await Program.start(arguments.client) if arguments.client else None
    client = program or OverHttp()
    ways = tuple(way for way in arguments.ways.split(",") if way in client.ways)
    selected = cases(only=arguments.only, ways=ways)
    if program is None:  # JSON has no place for fields that the contract does not have
        selected = [each for each in selected if "append_wire_hex" not in str(each.document)]
    results = await run(client, selected)
    if program:
        await program.close()
    failed = {name: wrong for name, wrong in results.items() if wrong}
    for name, wrong in failed.items():
        print(f"FAILED {name}", *wrong, sep="\n    ")
    different = len({(each.suite, each.name) for each in selected})
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, of {different} scenarios")
    return 1 if failed or not results else 0


def main() -> int:
    """Read the arguments, and run or serve."""
    parser = argparse.ArgumentParser(description="Run the conformance cases against a real server.")
    parser.add_argument("--client", help="the command of a client; default: JSON over HTTP")
    parser.add_argument("--only", default="", help="run the cases whose names contain this text")
    parser.add_argument("--ways", default=",".join(WAYS), help="run only these ways of asking")
    parser.add_argument("--serve", action="store_true", help="be the server's half of a runner")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if arguments.serve:
        asyncio.run(serve())
        return 0
    return asyncio.run(run_all(arguments))


if __name__ == "__main__":
    sys.exit(main())
