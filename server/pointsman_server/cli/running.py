"""Runs the commands that serve until they are stopped."""

from __future__ import annotations

import errno
import os
from collections.abc import Coroutine
from typing import Any

from pointsman_server.bootstrap.event_loop import LoopName, run
from pointsman_server.core.errors import PointsmanError, PolicyInvalid
from pointsman_server.lib.console import Console
from pointsman_server.policies.check import rendered

_IN_USE = os.strerror(errno.EADDRINUSE)
_TAKEN = "another process listens there, perhaps a Pointsman: stop it, or set another address"


def run_until_done(
    work: Coroutine[Any, Any, None], *, console: Console, loop: LoopName = "auto"
) -> int:
    """Run `work`. An error that keeps a server from starting is printed without a traceback."""
    try:
        run(work, loop=loop)
    except PolicyInvalid as error:
        return console.complain(["the policy file has problems:", *rendered(error.problems)])
    except (PointsmanError, OSError, RuntimeError, ValueError, ModuleNotFoundError) as error:
        said = str(error) or type(error).__name__
        return console.complain([f"{said}: {_TAKEN}" if said.endswith(_IN_USE) else said])
    return 0
