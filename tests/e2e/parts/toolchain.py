"""Programs that a machine may lack: a test that needs one says so, and in CI it must be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_OWN = Path(sys.executable).parent


def need(*names: str) -> None:
    """Skip, naming what is missing; fail instead in CI."""
    missing = [name for name in names if find(name) is None]
    if not missing:
        return
    reason = f"not on this machine: {', '.join(missing)}"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI nothing is skipped", pytrace=False)
    pytest.skip(reason)


def find(name: str) -> str | None:
    """Where a program is: beside this interpreter first, then on the path."""
    return shutil.which(name, path=search_path())


def search_path(*before: Path) -> str:
    """The path of this interpreter's own programs and of the machine's, with others before."""
    return os.pathsep.join([*map(str, before), str(_OWN), os.environ.get("PATH", "")])


def run(command: Sequence[str | Path], *, directory: Path, programs: Path | None = None) -> None:
    """Run to the end, out of the way of other work; its output is the message if it fails.

    What is in the folder `programs` is found before anything else of the same name.
    """
    path = search_path(programs) if programs else search_path()
    done = subprocess.run(
        ["nice", *(str(part) for part in command)],
        cwd=directory,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}".strip()
        pytest.fail(f"in {directory}: {' '.join(map(str, command))}\n{said}", pytrace=False)
