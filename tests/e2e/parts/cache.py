"""What a run installs or builds once and later runs find again, outside the repository."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

VARIABLE = "POINTSMAN_PARTS_CACHE"
"""The environment variable that names another folder than the one in the home folder."""


def cached(name: str, fill: Callable[[Path], object]) -> Path:
    """The folder `name` of the cache, filled by `fill` if there is none.

    The name should say the version, since nothing else does. Half a folder is never seen: what
    fails leaves none, and of two runs at once the second waits for the first.
    """
    cache = _folder()
    cache.mkdir(parents=True, exist_ok=True)
    wanted, filling = cache / name, cache / f"{name}.filling"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            shutil.rmtree(filling, ignore_errors=True)
            filling.mkdir()
            fill(filling)
            filling.rename(wanted)
    return wanted


def _folder() -> Path:
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pointsman"
