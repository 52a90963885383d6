"""A policy file from disk, or the packaged default."""

from __future__ import annotations

import stat
from importlib.resources import files
from pathlib import Path

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.policies.schema import Loaded, parse
from pointsman_server.policies.yaml_tree import MAX_BYTES


def load(path: Path | None) -> Loaded:
    """Load the file at `path`, or the packaged default where there is none.

    Raises `PolicyInvalid`, also where the file cannot be read.
    """
    return parse(read(path))


def read(path: Path | None) -> bytes:
    """Read a policy file, at most one byte past the allowed size.

    Raises `PolicyInvalid` with the path `""` where the file cannot be read.
    """
    if path is None:
        return files("pointsman_server.policies").joinpath("default.yaml").read_bytes()
    try:
        # A pipe or a device would block or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise PolicyInvalid([Problem("", f"{path} is not a regular file")])
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise PolicyInvalid([Problem("", f"cannot read {path}: {reason}")]) from error
