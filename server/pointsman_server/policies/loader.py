"""A policy file from disk, or the packaged default."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.lib.watched_file import FileUnreadable, read_file
from pointsman_server.policies.schema import Loaded, parse
from pointsman_server.policies.yaml_tree import MAX_BYTES


def load(path: Path | None) -> Loaded:
    """Load the file at `path`, or the packaged default where there is none.

    Raises `PolicyInvalid`, also where the file cannot be read.
    """
    return parse(read(path))


def read(path: Path | None) -> bytes:
    """Read a policy file of at most `MAX_BYTES`.

    Raises `PolicyInvalid` with the path `""` where the file cannot be read.
    """
    if path is None:
        return files("pointsman_server.policies").joinpath("default.yaml").read_bytes()
    try:
        return read_file(path, most=MAX_BYTES)
    except FileUnreadable as error:
        raise PolicyInvalid([Problem("", f"cannot read {path}: {error}")]) from None
