"""What the command takes, and the settings that it makes of it."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from pointsman_client import ApiKind

from pointsman_extproc.settings import PATHS, CallerHeaders, Settings

_KINDS = tuple(sorted(set(PATHS.values())))


def parser_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="pointsman ext-proc",
        description="Answer an Envoy's external processing filter: put the model that Pointsman "
        "decides for into requests for a tier, or only record it.",
        epilog="Exit status: 0 ended by a signal, 1 cannot start, 2 bad usage.",
    )
    add = parser.add_argument
    add(
        "--tier",
        action="append",
        required=True,
        metavar="NAME[=MODEL]",
        help="a tier, and the static pick that serves it where there is no decision; repeat it",
    )
    add("--serve", action="store_true", help="serve decisions; otherwise requests pass as they are")
    _add_requests(parser)
    _add_listening(parser)
    _add_service(parser)
    return parser


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings; `ValueError` says which flag is wrong."""
    tiers = dict(_tier(each) for each in arguments.tier)
    return Settings(
        tiers=tiers,
        serves=arguments.serve,
        paths=dict(_path(each) for each in arguments.path) if arguments.path else PATHS,
        headers=CallerHeaders(
            user=arguments.user_header,
            session=arguments.session_header,
            organization=arguments.organization_header,
        ),
        most_bytes=arguments.max_body_bytes,
        most_held_bytes=arguments.max_held_bytes,
    )


def _add_requests(parser: argparse.ArgumentParser) -> None:
    names = CallerHeaders()
    add = parser.add_argument_group("requests").add_argument
    add(
        "--path",
        action="append",
        metavar="KIND=END",
        help=f"what the paths of an API end in, in place of the usual ones; {', '.join(_KINDS)}; "
        "repeat it",
    )
    for name in ("user", "session", "organization"):
        default = getattr(names, name)
        add(f"--{name}-header", default=default, metavar="NAME", help=f"(default: {default})")
    add(
        "--max-body-bytes",
        type=_positive,
        default=Settings(tiers={}).most_bytes,
        metavar="N",
        help="longer bodies pass as they came; at most what Envoy's listener buffers "
        "(default: %(default)s, as Envoy's)",
    )
    add(
        "--max-held-bytes",
        type=_positive,
        default=Settings(tiers={}).most_held_bytes,
        metavar="N",
        help="of all bodies at once; those above pass as they came (default: %(default)s)",
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
        default=os.environ.get("POINTSMAN_ADDRESS") or "127.0.0.1:50051",
        help="host:port (default: $POINTSMAN_ADDRESS, else 127.0.0.1:50051)",
    )
    add(
        "--timeout",
        type=_seconds,
        default=0.25,
        metavar="SECONDS",
        help="how long a request for a tier may wait for a decision (default: %(default)s); keep "
        "it below Envoy's message_timeout",
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
