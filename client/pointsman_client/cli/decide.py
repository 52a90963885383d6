"""`pointsman decide`: ask a running service about one prompt, and print the answer and its why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from pointsman_client.cli.common import (
    ANSWERED,
    BAD_USAGE,
    Called,
    add_connection,
    complain,
    parser_of,
    run,
)
from pointsman_client.cli.table import render
from pointsman_client.description import RoutingDescription, TierDescription
from pointsman_client.errors import RoutingError
from pointsman_client.results import Reason, RouteResult

EXAMPLE_PROMPT = "Design a consensus protocol and prove that it is safe under partitions."


@dataclass(frozen=True, slots=True)
class _Request:
    """The request, with assumptions in place of omitted options."""

    prompt: str
    tier: str
    static_pick: str | None
    assumed: tuple[str, ...] = ()


def decide(argv: Sequence[str]) -> int:
    """Run the command; returns 0 answered, 1 no answer, 2 bad usage, 3 refused."""
    notes: list[str] = []
    picks: list[str | None] = []

    def ask(called: Called) -> RouteResult:
        request = _complete(called)
        notes.extend(request.assumed)
        picks.append(request.static_pick)
        result = _route(called, request)
        if result.reason is Reason.UNKNOWN_TIER:
            complain(_known_tiers(called, request.tier), status=BAD_USAGE, command="decide")
        if called.arguments.json and notes:
            sys.stderr.write("\n".join([*notes, ""]))
        return result

    def show(result: RouteResult) -> str:
        shown = render(result, static_pick=picks[0])
        return f"{chr(10).join(notes)}\n\n{shown}" if notes else shown

    return run(_parser(), argv, command="decide", ask=ask, show=show, status=_status)


def _status(result: RouteResult) -> int:
    """An unknown tier is bad usage: a gateway that sends it is never routed."""
    return BAD_USAGE if result.reason is Reason.UNKNOWN_TIER else ANSWERED


def _complete(called: Called) -> _Request:
    """Fill omitted options from the description of the service."""
    given = called.arguments
    asked = _Request(
        prompt=EXAMPLE_PROMPT if called.prompt is None else called.prompt,
        tier=given.tier or "",
        static_pick=given.static_pick,
    )
    notes = [f"assumed prompt       {EXAMPLE_PROMPT}"] if called.prompt is None else []
    if given.tier and (given.static_pick or given.candidate):
        return replace(asked, assumed=tuple(notes))
    tier = _tier(_described(called), given.tier)
    if tier is None:
        return replace(asked, assumed=tuple(notes))
    if not given.tier:
        notes.append(f"assumed tier         {tier.name}")
    pick = asked.static_pick
    if pick is None and not given.candidate and tier.default_candidates:
        pick = tier.default_candidates[0]
        notes.append(f"assumed static pick  {pick}")
    return replace(asked, tier=tier.name, static_pick=pick, assumed=tuple(notes))


def _tier(description: RoutingDescription | None, name: str | None) -> TierDescription | None:
    """The tier of that name; without a name, the most capable one that has candidates."""
    if description is None:
        return None
    if name:
        return next((each for each in description.tiers if each.name == name), None)
    usable = [each for each in description.tiers if each.default_candidates]
    capable = [each for each in usable if each.policy == "capability_heavy"]
    return next(iter([*capable, *usable]), None)


def _described(called: Called) -> RoutingDescription | None:
    """What is in force; `None` where the service does not say."""
    try:
        return called.client.describe(timeout=called.arguments.timeout)
    except RoutingError:
        return None


def _known_tiers(called: Called, name: str) -> str:
    """The unknown tier, the known one that resembles it, and all known ones."""
    description = _described(called)
    known = [each.name for each in description.tiers] if description else []
    alike = get_close_matches(name, known, n=1) or [
        each for each in known if each.rpartition("/")[2] == name
    ]
    meant = f": did you mean {alike[0]}?" if alike else ";"
    return f"unknown tier {name!r}{meant} known tiers: {', '.join(known) or 'none'}"


def _route(called: Called, request: _Request) -> RouteResult:
    given = called.arguments
    return called.client.route(
        request.prompt,
        timeout=given.timeout,
        user_id=given.user,
        session_id=given.session,
        tier=request.tier,
        candidates=given.candidate,
        static_pick=request.static_pick,
        classify=given.classify,
        dry_run=given.dry_run,
    )


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "decide",
        description="Ask a running service which model should serve a prompt, and why. Whatever you"
        " leave out is\nassumed from the service's own description, and printed.",
        example="pointsman decide 'Rename foo to bar.' --tier kilo-auto/frontier"
        " --static-pick anthropic/claude-opus-4.8",
    )
    add = parser.add_argument
    add("prompt", nargs="?", help="the prompt; - reads it from standard input")
    add("--tier", help="the tier that the user selected, e.g. kilo-auto/frontier")
    add(
        "--candidate",
        action="append",
        default=[],
        metavar="MODEL",
        help="a model that may serve, best first; repeat it. Without any, those of the tier",
    )
    add("--static-pick", metavar="MODEL", help="the model that your own rules would take")
    add("--session", help="the conversation, which stays on its model")
    add("--user", default="pointsman-decide", help="the user (default: %(default)s)")
    add("--classify", action="store_true", help="also classify the prompt")
    add("--dry-run", action="store_true", help="decide and explain, but cache and record nothing")
    add_connection(parser)
    return parser
