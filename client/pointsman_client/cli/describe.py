"""`pointsman describe`: ask a running service what is in force, and print it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence

from pointsman_client.cli.common import Called, add_connection, parser_of, run
from pointsman_client.description import (
    EngineDescription,
    EngineState,
    ModelDescription,
    PurposeDescription,
    RoutingDescription,
)

Row = tuple[str, ...]

_MODEL_HEAD = ("model", "router id", "in $/M", "out $/M", "context", "routed", "known for")


def describe(argv: Sequence[str]) -> int:
    """Run the command; returns 0 answered, 1 no answer, 2 bad usage, 3 refused."""
    return run(_parser(), argv, command="describe", ask=_ask, show=shown)


def _ask(called: Called) -> RoutingDescription:
    return called.client.describe(timeout=called.arguments.timeout)


def shown(found: RoutingDescription) -> str:
    """The description for people: mode, tiers, models, engines, purposes, problems."""
    sections = [
        _table([], _head(found)),
        _table([("tier", "policy", "stickiness", "default candidates")], _tiers(found)),
        _table([_MODEL_HEAD], _models(found)),
        _table([("engine", "state", "prompts leave", "in flight", "failures")], _engines(found)),
        _table([("purpose", "serves it", "then")], _purposes(found)),
        _table([("warning", "")], ((each.path, each.message) for each in found.warnings)),
        _table(
            [("refused on reload", "")],
            ((each.path, each.message) for each in found.reload_problems),
        ),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(found: RoutingDescription) -> Iterator[Row]:
    share = f", to {found.serve_percent:g} % of conversations" if found.mode == "serve" else ""
    yield "mode", f"{found.mode}{share}"
    yield "policy file", found.policy_version
    yield "third parties", "allowed" if found.third_party_allowed else "denied"
    yield "version", found.server_version


def _tiers(found: RoutingDescription) -> Iterator[Row]:
    for tier in found.tiers:
        first, *others = tier.default_candidates or ("-",)
        yield tier.name, tier.policy, str(tier.stickiness or "-"), first
        yield from (("", "", "", other) for other in others)


def _models(found: RoutingDescription) -> Iterator[Row]:
    for model in found.models:
        yield _model(model)


def _model(model: ModelDescription) -> Row:
    window = "-" if model.context_window is None else f"{model.context_window:,}"
    return (
        model.model,
        model.router_model or "-",
        _price(model.input_price),
        _price(model.output_price),
        window,
        "yes" if model.routable else "no",
        _known_for(model),
    )


def _known_for(model: ModelDescription) -> str:
    """The model's figures on the axes of the policy file."""
    axes = [] if model.routine is None else [f"routine {model.routine:.2f}"]
    kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in sorted(model.heavy.items()))
    return "; ".join([*axes, *([f"heavy {kinds}"] if kinds else [])]) or "-"


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:g}"


def _engines(found: RoutingDescription) -> Iterator[Row]:
    return map(_engine, found.engines)


def _engine(engine: EngineDescription) -> Row:
    calls = f"{engine.in_flight} of {engine.max_in_flight}" if engine.max_in_flight else "-"
    failures = ", ".join(f"{stage} {count}" for stage, count in sorted(engine.failures.items()))
    leaves = "yes" if engine.third_party else "no"
    state = "no key (see warning)" if engine.state is EngineState.NO_KEY else engine.state or "-"
    return engine.name, str(state), leaves, calls, failures or "none"


def _purposes(found: RoutingDescription) -> Iterator[Row]:
    if not any(each.tier or each.candidates for each in found.purposes):
        return  # the policy file has no `llm`: nothing serves the standard purposes
    for purpose in found.purposes:
        yield purpose.name, _served(purpose), ", ".join(purpose.fallback_profiles) or "-"


def _served(purpose: PurposeDescription) -> str:
    if purpose.tier:
        return f"tier {purpose.tier}"
    return ", ".join(f"{each.profile} {each.share:.0%}" for each in purpose.candidates) or "-"


def _table(head: Sequence[Row], rows: Iterable[Row]) -> str:
    """Aligned columns under a heading; empty without rows."""
    listed = [*rows]
    if not listed:
        return ""
    listed = [*head, *listed]
    widths = [max(len(row[at]) for row in listed) for at in range(len(listed[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    )


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "describe",
        description="Ask a running service what is in force: mode, tiers, models, engines, purposes"
        " and warnings.",
        example="pointsman describe --address 127.0.0.1:50051",
    )
    add_connection(parser)
    return parser
