"""Programs that no Python package brings: a test that lacks one says so, and fails in CI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name: str, *, package: str | None = None) -> str:
    """Where a program is: beside this interpreter, or on the path. `package`: Debian's, for whoever
    has to install it.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
    if found is not None:
        return found
    reason = f"{name} is not on this machine" + (f": install {package}" if package else "")
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
