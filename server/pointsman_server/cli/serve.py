"""The server's commands. Each takes its arguments and returns an exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pointsman_server.bootstrap.event_loop import LoopName, run
from pointsman_server.bootstrap.exec_supervisor import launch
from pointsman_server.bootstrap.morph_api import MorphApiSettings, serve_morph_api
from pointsman_server.bootstrap.scheduling import schedule
from pointsman_server.bootstrap.serve import serve as serve_until_stopped
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.bootstrap.worker_link import SupervisorLink
from pointsman_server.core.errors import PointsmanError, PolicyInvalid, SettingInvalid
from pointsman_server.policies.check import check as check_policy
from pointsman_server.policies.check import rendered
from pointsman_server.policies.schema import json_schema
from pointsman_server.settings import Settings
from pointsman_server.telemetry.service_log.formatters import configure_logging

_FAILED = 1
_USAGE = 2


def serve(argv: Sequence[str]) -> int:
    """`pointsman serve`: the gRPC server, until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="pointsman serve",
        description="Serve routing decisions over gRPC.",
        epilog="Further settings are environment variables, all POINTSMAN_*; telemetry follows"
        " OTEL_*. See docs/operating.md.",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:50051")
    parser.add_argument("--policy-file", metavar="FILE", type=Path, help="default: built in")
    parser.add_argument("--admin-listen", metavar="HOST:PORT", help="reflection; '' for none")
    parser.add_argument("--metrics-listen", metavar="HOST:PORT", help="Prometheus; '' for none")
    parser.add_argument("--workers", metavar="N", type=int, help="processes; default 1")
    parser.add_argument(
        "--plaintext-beyond-loopback",
        metavar="rpc,admin,metrics",
        help="what may listen without TLS where other machines reach it",
    )
    _let_set(parser)
    given = {k: v for k, v in vars(parser.parse_args(argv)).items() if v is not None}
    assignments = given.pop("assignments")
    try:
        settings = Settings(**given)
    except ValidationError as error:
        return _complain([f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors()])
    worker = SupervisorLink.of(os.environ)
    if settings.workers > 1 and worker is None:
        try:
            launch(settings, argv)
        except SettingInvalid as error:
            return _complain([str(error)])
    ambient = SystemResources()
    configure_logging(settings.log_level, settings.log_format, secrets=ambient.secrets)
    try:
        schedule(settings.scheduling)
    except SettingInvalid as error:
        return _complain([str(error)])
    work = serve_until_stopped(
        settings, say=_tell, ambient=ambient, assignments=assignments, worker=worker
    )
    return _run(work, loop=settings.event_loop)


def check(argv: Sequence[str]) -> int:
    """`pointsman check`: whether a policy file would be put in force, and why not."""
    parser = argparse.ArgumentParser(prog="pointsman check", description="Check a policy file.")
    parser.add_argument("file", nargs="?", type=Path, help="default: the built-in one")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema instead")
    _let_set(parser)
    arguments = parser.parse_args(argv)
    if arguments.schema:
        _say(json.dumps(json_schema(), indent=2))
        return 0
    report = check_policy(arguments.file, assignments=arguments.assignments)
    for line in report.lines():
        _say(line)
    return 0 if report.ok else _FAILED


def morph_api(argv: Sequence[str]) -> int:
    """`pointsman morph-api`: a Morph-compatible HTTP endpoint over the embedded engine."""
    parser = argparse.ArgumentParser(
        prog="pointsman morph-api",
        description="Serve POST /v1/router/multimodel and /v1/router/classify like Morph does,"
        " decided by the embedded engine. See docs/morph-api.md.",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8080")
    parser.add_argument("--policy-file", metavar="FILE", type=Path, help="default: built in")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--keys-file", metavar="FILE", type=Path, help="bearer keys, one a line")
    keys.add_argument("--key-env", metavar="NAME", help="environment variable with the bearer key")
    parser.add_argument(
        "--faults", action="store_true", help="for tests: let /testing/faults script failures"
    )
    parser.add_argument(
        "--plaintext-beyond-loopback", action="store_true", help="let other machines reach it"
    )
    settings = MorphApiSettings(**vars(parser.parse_args(argv)))
    configure_logging(level="info", fmt="auto")
    return _run(serve_morph_api(settings, say=_tell))


def _let_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="PATH=VALUE",
        help="set a value over the policy file, e.g. llm.routes.plan_create=reasoning; the value"
        " is YAML; may be repeated",
    )


def _run(work: Coroutine[Any, Any, None], *, loop: LoopName = "auto") -> int:
    """Run until done; what keeps a server from starting is told in words, not in a traceback."""
    try:
        run(work, loop=loop)
    except PolicyInvalid as error:
        return _complain(["the policy file has problems:", *rendered(error.problems)])
    except (PointsmanError, OSError, RuntimeError, ValueError, ModuleNotFoundError) as error:
        return _complain([str(error) or type(error).__name__])
    return 0


def _complain(lines: Sequence[str]) -> int:
    for line in lines:
        print(f"pointsman: {line}", file=sys.stderr)
    return _USAGE


def _variable(location: tuple[int | str, ...]) -> str:
    return f"POINTSMAN_{location[0]}".upper()


def _say(line: str) -> None:
    print(line, flush=True)


def _tell(line: str) -> None:
    """Standard output belongs to the decision log."""
    print(line, file=sys.stderr, flush=True)
