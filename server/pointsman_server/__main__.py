"""`pointsman COMMAND ...`: finds the command among the installed ones and runs it.

Commands are entry points of the group `pointsman.commands`; those of the server and the external
processor need their extras. An interrupt and a standard output that cannot be written end a command
with one line and an exit status.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pointsman_server.lib.console import USAGE, discard_stdout, tell
from pointsman_server.lib.start_signals import Terminated, end_terminated, start_signals

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_EXTRAS = {"pointsman_server": "server", "pointsman_extproc": "ext-proc"}
"""The extra of a package whose commands need more than the client."""
SUMMARIES = {
    "serve": "serve routing decisions over gRPC and HTTP",
    "decide": "ask a running service about one prompt",
    "describe": "show what is in force at a running service",
    "resolve": "ask a running service which LLM configs to try for a purpose",
    "health": "ask a running service whether it serves, for probes",
    "init": "write a commented policy file to start from",
    "check": "check a policy file",
    "test": "run the tests of a policy file",
    "report": "cost and savings of serving, from the decision log",
    "score": "run the embedded engine over prompts, without a server",
    "train": "fine-tune the embedded engine on your own labelled requests",
    "morph-api": "serve a Morph-compatible HTTP endpoint",
    "decision-api": "serve a scripted decision-model endpoint",
    "ext-proc": "answer Envoy's external processing filter",
    "completion": "print a completion script for your shell",
}
"""One line a command, in the order of the help; commands of other packages follow."""
_CUT_OFF, _INTERRUPTED = 141, 130
"""128 + SIGPIPE and 128 + SIGINT, as a shell reports them."""
_UNWRITABLE = 1
_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
_QUIET = ("pointsman_client.", "pointsman_extproc.")
"""Packages whose commands leave out the lines of gRPC's core."""
_WITH_RESULT = frozenset({"completion", "decide", "describe", "report", "resolve", "score"})
"""Commands whose result is their output. Of the others, the exit status is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with start_signals(reloads=arguments[:1] == ["serve"]):
            return _finished(arguments)
    except Terminated:
        return end_terminated()


def _finished(arguments: Sequence[str]) -> int:
    """Run one command to its end, whatever becomes of its output."""
    if sys.stdout is None and _WITH_RESULT.intersection(arguments[:1]):
        tell("pointsman: standard output is closed: the result cannot be written")
        return _UNWRITABLE
    try:
        status = run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
        return _CUT_OFF
    except KeyboardInterrupt:
        _tell_interrupted(arguments)
        return _INTERRUPTED
    except OSError as error:
        if error.filename is not None or error.errno not in _WRITE_ERRORS:
            raise
        tell(f"pointsman: standard output cannot be written: {error.strerror}")
        discard_stdout()
        return _UNWRITABLE
    return status


def run(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; returns its exit status."""
    # Here, where an interrupt is caught: most of the time until a command runs is imports.
    from importlib.metadata import entry_points, version  # noqa: PLC0415

    commands = {entry.name: entry for entry in entry_points(group="pointsman.commands")}
    if arguments and arguments[0] in {"--version", "-V"}:
        print(f"pointsman {version('pointsman')}")
        return 0
    if not arguments or arguments[0] in {"--help", "-h"}:
        print(_help(commands))
        return 0 if arguments else USAGE
    entry = commands.get(arguments[0])
    if entry is None:
        print(_no_command(arguments[0], commands), file=sys.stderr)
        return USAGE
    if _log_is_json() or entry.module.startswith(_QUIET):
        # gRPC's core, which reads this when it is loaded, would write lines of text between, in
        # front of the client commands' explanation of a failed handshake, and for every message
        # that a peer of the external processor compresses.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        command = entry.load()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(entry.module.partition(".")[0], "server")
        print(
            f"pointsman {entry.name} needs further packages ({error.name} is missing);"
            f" in a clone of Pointsman:\n    pip install '.[{extra}]'",
            file=sys.stderr,
        )
        return USAGE
    status: int = command(arguments[1:])
    return status


def _no_command(name: str, commands: dict[str, EntryPoint]) -> str:
    import difflib  # noqa: PLC0415  # for this mistake only

    near = difflib.get_close_matches(name, commands, n=1)
    if not near:
        return f"pointsman: no command {name!r}\n{_help(commands)}"
    return f"pointsman: no command {name!r}: did you mean `{near[0]}`? See pointsman --help"


def _log_is_json() -> bool:
    return os.environ.get("POINTSMAN_LOG_FORMAT", "").strip().lower() == "json"


def _tell_interrupted(arguments: Sequence[str]) -> None:
    """Tell it in the format of the log, which is perhaps not set up yet."""
    if arguments[:1] != ["serve"] or not _log_is_json():
        return tell("pointsman: interrupted")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    fields = {"time": moment, "level": "error", "logger": __package__, "message": "interrupted"}
    return tell(json.dumps(fields, separators=(",", ":")))


def _help(commands: dict[str, EntryPoint]) -> str:
    known = [name for name in SUMMARIES if name in commands]
    others = sorted(commands.keys() - SUMMARIES.keys())
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {_summary(commands[name])}" for name in (*known, *others)]
    return "\n".join(
        [
            "usage: pointsman COMMAND ...",
            "",
            *lines,
            "",
            "`pointsman COMMAND --help` has the options and an example. To begin:",
            "  pointsman serve",
            "  pointsman decide 'What is the capital of Portugal?'    (in another terminal)",
        ]
    )


def _summary(command: EntryPoint) -> str:
    return SUMMARIES.get(command.name, f"from {command.module.partition('.')[0]}")


if __name__ == "__main__":
    sys.exit(main())
