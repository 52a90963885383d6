"""`pointsman resolve`: resolve a purpose at a running service, and print the attempts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pointsman_client.cli.common import Called, add_connection, parser_of, run
from pointsman_client.routes import Attempt, ResolvedRoute


def resolve(argv: Sequence[str]) -> int:
    """Run the command; returns 0 answered, 1 no answer, 2 bad usage, 3 refused."""
    return run(_parser(), argv, command="resolve", ask=_ask, show=shown)


def _ask(called: Called) -> ResolvedRoute:
    given = called.arguments
    asked = {"profile_override": given.profile, "timeout": given.timeout}
    if called.prompt is None:
        return called.client.resolve(given.purpose, given.run_id, **asked)
    return called.client.resolve(
        given.purpose,
        given.run_id,
        **asked,
        prompt=called.prompt,
        user_id=given.user,
        session_id=given.run_id,
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
    parser = parser_of(
        "resolve",
        description="Ask a running service which LLM configs to try for a purpose, in which order.",
        example="pointsman resolve plan_create --run-id r-1",
    )
    add = parser.add_argument
    add("purpose", help="the purpose of the LLM call, e.g. plan_create")
    add("--run-id", required=True, help="the run; one run keeps to one profile")
    add("--profile", metavar="NAME", help="a profile in place of the purpose's route")
    add("--prompt", help="for a route that names a tier: the prompt; - reads standard input")
    add("--user", default="pointsman-resolve", help="with --prompt: the user")
    add_connection(parser)
    return parser
