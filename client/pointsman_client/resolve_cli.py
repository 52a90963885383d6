"""`pointsman resolve`: resolve a purpose at a running service, and print the attempts."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pointsman_client.channel import Tls
from pointsman_client.cli import ANSWERED, BAD_USAGE, add_connection, complain, explain, tls_of
from pointsman_client.client import RoutingClient
from pointsman_client.errors import RoutingError
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.tokens import TokenFile


def resolve(argv: Sequence[str]) -> int:
    """Run the command; returns 0 answered, 1 no answer, 2 bad usage, 3 refused."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as left:  # argparse leaves after --help and after bad usage
        return left.code if isinstance(left.code, int) else BAD_USAGE
    try:
        token = TokenFile(arguments.token_file)() if arguments.token_file else None
        tls = tls_of(arguments)
        prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    except (OSError, UnicodeDecodeError) as error:
        return complain(f"cannot read: {error}", status=BAD_USAGE, command="resolve")
    except ValueError as error:
        return complain(str(error), status=BAD_USAGE, command="resolve")
    try:
        route = asyncio.run(_ask(prompt, arguments=arguments, token=token, tls=tls))
    except RoutingError as error:
        return explain(error, arguments=arguments, command="resolve")
    sys.stdout.write(json.dumps(asdict(route), indent=2) + "\n" if arguments.json else shown(route))
    return ANSWERED


async def _ask(
    prompt: str | None, *, arguments: argparse.Namespace, token: str | None, tls: Tls | bool
) -> ResolvedRoute:
    async with RoutingClient(arguments.address, token=token, tls=tls) as client:
        asked = {"profile_override": arguments.profile, "timeout": arguments.timeout}
        if prompt is None:
            return await client.resolve(arguments.purpose, arguments.run_id, **asked)
        return await client.resolve(
            arguments.purpose,
            arguments.run_id,
            **asked,
            prompt=prompt,
            user_id=arguments.user,
            session_id=arguments.run_id,
            dry_run=True,
        )


def shown(route: ResolvedRoute) -> str:
    """The route for people: one line per attempt, then the errors that lead to the next."""
    rows: list[tuple[str, ...]] = [
        ("", "profile", "provider", "model", "share", "credential", "endpoint")
    ]
    rows += [_row(number, attempt) for number, attempt in enumerate(route.attempts, start=1)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if not route.attempts:
        lines = ["nothing to try"]
    lines += ["", f"next after   {', '.join(route.eligible_errors) or 'no error'}"]
    if route.decision is not None:
        why = f"{route.decision.outcome}" + (" (shadow)" if route.decision.shadow else "")
        lines.append(f"decision     {why}")
    return "\n".join([*lines, f"policy file  {route.policy_version}", ""])


def _row(number: int, attempt: Attempt) -> tuple[str, ...]:
    return (
        str(number),
        attempt.profile or "-",
        attempt.provider,
        attempt.model,
        f"{attempt.share:.0%}" if attempt.share else "-",
        attempt.credential_ref or "-",
        attempt.endpoint or "-",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pointsman resolve",
        description="Ask a running service which LLM configs to try for a purpose, in which order.",
        epilog="Exit status: 0 answered, 1 no answer from the service, 2 bad usage, 3 refused.",
    )
    add = parser.add_argument
    add("purpose", help="the purpose of the LLM call, e.g. plan_create")
    add("--run-id", required=True, help="the run; one run keeps to one profile")
    add("--profile", metavar="NAME", help="a profile in place of the purpose's route")
    add("--prompt", help="for a route that names a tier: the prompt; - reads standard input")
    add("--user", default="pointsman-resolve", help="with --prompt: the user")
    add_connection(parser)
    return parser
