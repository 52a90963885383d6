"""The command line of `pointsman ext-proc`, and the settings that it makes."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from pointsman_client import ApiKind, BodySession, BodyUser, IdentitySources
from pointsman_client.cli.command_line import ADDRESS_VARIABLE, CommandParser

from pointsman_extproc.settings import PATHS, Settings

Member = TypeVar("Member", BodyUser, BodySession)

DEFAULT_ADDRESS = "127.0.0.1:50051"
_KINDS = tuple(sorted(set(PATHS.values())))


def parser_of() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = CommandParser(
        prog="pointsman ext-proc",
        description="Answer Envoy's external processing filter: set the decided model in requests "
        "for a tier, or only record the decision.",
        epilog="example:\n  pointsman ext-proc --serve --tier kilo-auto/frontier=openai/gpt-5.5\n\n"
        "Exit status: 0 ended by a signal, 1 cannot start, 2 bad usage.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--tier",
        action="append",
        required=True,
        metavar="NAME[=MODEL]",
        help="a tier and its static pick, which serves it without a decision; repeatable",
    )
    add(
        "--candidate",
        action="append",
        default=[],
        metavar="[TIER=]MODEL",
        help="a model that your providers have, for one tier or for all; repeatable; without any "
        "for a tier, the candidates of the policy file hold",
    )
    add("--serve", action="store_true", help="serve decisions; otherwise requests pass as they are")
    _add_requests(parser)
    _add_identity(parser)
    _add_listening(parser)
    _add_service(parser)
    return parser


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Build the settings; `ValueError` names the flag that is wrong."""
    tiers = dict(_tier(each) for each in arguments.tier)
    default = IdentitySources()
    return Settings(
        tiers=tiers,
        candidates=_candidates(arguments.candidate, tiers=tiers),
        serves=arguments.serve,
        paths=dict(_path(each) for each in arguments.path) if arguments.path else PATHS,
        sources=IdentitySources(
            user_headers=arguments.user_header or default.user_headers,
            session_headers=arguments.session_header or default.session_headers,
            agent_headers=arguments.agent_header or default.agent_headers,
            organization_headers=arguments.organization_header or default.organization_headers,
            body_users=_members(arguments.user_field, kind=BodyUser),
            body_sessions=_members(arguments.session_field, kind=BodySession),
        ),
        timeout=arguments.timeout,
        most_bytes=arguments.max_body_bytes,
        most_held_bytes=arguments.max_held_bytes,
    )


def _add_requests(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("requests").add_argument
    add(
        "--path",
        action="append",
        metavar="KIND=END",
        help=f"the end of an API's paths, instead of the usual ones; {', '.join(_KINDS)}; "
        "repeatable",
    )
    add(
        "--max-body-bytes",
        type=_positive,
        default=Settings(tiers={}).most_bytes,
        metavar="N",
        help="longer bodies get the static pick; at most the buffer limit of Envoy's listener "
        "(default: %(default)s, as Envoy's)",
    )
    add(
        "--max-held-bytes",
        type=_positive,
        default=Settings(tiers={}).most_held_bytes,
        metavar="N",
        help="bytes of all bodies at once; further requests get 503 (default: %(default)s)",
    )
    add(
        "--readers",
        type=_positive,
        default=2,
        metavar="N",
        help="processes that read bodies of more than 32 KiB (default: %(default)s)",
    )


def _add_identity(parser: argparse.ArgumentParser) -> None:
    default = IdentitySources()
    add = parser.add_argument_group("who asks").add_argument
    for name in ("user", "session", "agent", "organization"):
        usual: tuple[str, ...] = tuple(getattr(default, f"{name}_headers"))
        add(
            f"--{name}-header",
            action="append",
            metavar="NAME",
            help=f"repeatable, the first that is set counts (default: {', '.join(usual)})",
        )
    for name, kind in (("user", BodyUser), ("session", BodySession)):
        members = ", ".join(kind)
        add(
            f"--{name}-field",
            action="append",
            metavar="NAME",
            help=f"a member of the body that names the {name}, or `none`; repeatable "
            f"(default: {members})",
        )


def _add_listening(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("listening").add_argument
    add(
        "--listen",
        default=os.environ.get("POINTSMAN_EXT_PROC_LISTEN") or "127.0.0.1:50151",
        metavar="ADDRESS",
        help="host:port or unix:path for Envoy (default: $POINTSMAN_EXT_PROC_LISTEN, else "
        "127.0.0.1:50151)",
    )
    add("--tls-cert-file", type=Path, metavar="FILE", help="take TLS only, with this certificate")
    add("--tls-key-file", type=Path, metavar="FILE", help="and this key")
    add("--tls-client-ca-file", type=Path, metavar="FILE", help="and only from clients of this CA")
    add(
        "--plaintext-beyond-loopback",
        action="store_true",
        help="allow an address beyond loopback without TLS",
    )
    add(
        "--metrics-listen",
        type=_host_port,
        default="127.0.0.1:9564",
        metavar="ADDRESS",
        help="host:port of the Prometheus endpoint, empty: none (default: %(default)s)",
    )


def _add_service(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the service that is asked").add_argument
    add(
        "--address",
        default=os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS,
        help=f"host:port (default: ${ADDRESS_VARIABLE}, else {DEFAULT_ADDRESS})",
    )
    add(
        "--timeout",
        type=_seconds,
        default=0.25,
        metavar="SECONDS",
        help="seconds that a request for a tier may wait, reading its body included (default: "
        "%(default)s); keep it below Envoy's message_timeout",
    )
    add("--token-file", metavar="FILE", help="a file that holds the bearer token; may rotate")
    add("--tls", action="store_true", help="use TLS with the system's roots")
    add("--ca", metavar="FILE", help="use TLS with the roots of this PEM file")
    add("--cert", metavar="FILE", help="use TLS, and this certificate for the client")
    add("--key", metavar="FILE", help="the client certificate's key")


def _tier(text: str) -> tuple[str, str | None]:
    name, _, model = text.partition("=")
    if not name.strip():
        raise ValueError(f"--tier {text!r} names no tier")
    return name.strip().lower(), model.strip() or None


def _candidates(given: Sequence[str], *, tiers: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Sort the candidates by tier; one without a tier belongs to all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        before, mark, after = text.partition("=")
        named = before.strip().lower()
        of_one = bool(mark) and named in tiers
        model = (after if of_one else text).strip()
        if not model or (mark and not of_one):
            raise ValueError(f"--candidate {text!r} names no model or an unknown tier")
        for tier in (named,) if of_one else tuple(tiers):
            found[tier] = (*found.get(tier, ()), model)
    return {tier: tuple(dict.fromkeys(models)) for tier, models in found.items()}


def _members(given: Sequence[str] | None, *, kind: type[Member]) -> tuple[Member, ...]:
    if given is None:
        return tuple(kind)
    if list(given) == ["none"]:
        return ()
    unknown = sorted(set(given) - set(kind))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of the fields {', '.join(kind)}")
    return tuple(kind(each) for each in given)


def _path(text: str) -> tuple[str, ApiKind]:
    kind, _, end = text.partition("=")
    if kind not in _KINDS or not end.startswith("/"):
        raise ValueError(f"--path {text!r} is not KIND=/END, KIND one of {', '.join(_KINDS)}")
    return end, ApiKind(kind)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


def _host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text and not (host and port.isdecimal()):
        raise argparse.ArgumentTypeError("must be host:port, or empty")
    return text
