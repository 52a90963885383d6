"""Generates the Python stubs beside the contract; with `--check` only tells what is stale."""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
SERVICES = "routing_service.proto"


def generate(target: Path) -> None:
    """Write the stubs of every proto file below `target`."""
    sources = sorted(str(p.relative_to(PROTOS)) for p in PROTOS.rglob("*.proto"))
    include = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    messages = [f"--python_out={target}", f"--pyi_out={target}"]
    services = [s for s in sources if s.endswith(SERVICES)]
    for arguments in ([*messages, *sources], [f"--grpc_python_out={target}", *services]):
        if protoc.main(["protoc", *include, *arguments]) != 0:
            raise SystemExit("protoc failed")


def stale() -> list[str]:
    """Stubs that differ from what the contract gives, or are missing, or have no source."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = _texts(Path(folder))
    committed = _texts(PROTOS)
    return sorted(n for n in fresh.keys() | committed.keys() if fresh.get(n) != committed.get(n))


def _texts(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): p.read_text()
        for p in root.rglob("*_pb2*.py*")
        if p.suffix in {".py", ".pyi"}
    }


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = stale()
        if names:
            sys.exit(f"stale stubs (run `make stubs`): {', '.join(names)}")
    else:
        generate(PROTOS)
