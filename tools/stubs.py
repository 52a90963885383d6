"""Generate the Python stubs beside their protos; `--check` only reports stale files."""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (ROOT / "protos", ROOT / "integrations")
"""The contract, and other protocols of integrations."""
SERVICES = "routing_service.proto"


def generate(source: Path, target: Path) -> None:
    """Write the stubs of every proto file below `source` below `target`."""
    protos = sorted(str(p.relative_to(source)) for p in source.rglob("*.proto"))
    include = [f"-I{source}", f"-I{files('grpc_tools') / '_proto'}"]
    _protoc(*include, f"--python_out={target}", f"--pyi_out={target}", *protos)
    if services := [p for p in protos if p.endswith(SERVICES)]:
        _protoc(*include, f"--grpc_python_out={target}", *services)


def stale(source: Path) -> list[str]:
    """List stubs that are out of date, missing, or without a source."""
    with tempfile.TemporaryDirectory() as folder:
        generate(source, Path(folder))
        fresh = _texts(Path(folder))
    committed = _texts(source)
    return sorted(n for n in fresh.keys() | committed.keys() if fresh.get(n) != committed.get(n))


def _protoc(*arguments: str) -> None:
    if protoc.main(["protoc", *arguments]) != 0:
        raise SystemExit("protoc failed")


def _texts(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): p.read_text()
        for p in root.rglob("*_pb2*.py*")
        if p.suffix in {".py", ".pyi"}
    }


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = [name for source in SOURCES for name in stale(source)]
        if names:
            sys.exit(f"stale stubs (run `make stubs`): {', '.join(names)}")
    else:
        for source in SOURCES:
            generate(source, source)
