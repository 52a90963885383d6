"""The example gateways: built and started with the very commands of their READMEs."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from e2e.parts.processes import Program, program
from e2e.parts.toolchain import need, run
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
GATEWAYS = ROOT / "examples" / "gateways"
COMPLETIONS = "/v1/chat/completions"
_STAMP = ".built"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Kind:
    """One example gateway, perhaps in one of its variants."""

    name: str
    folder: str
    tools: tuple[str, ...]
    """The programs that building and running it takes."""
    environment: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ("protos",)
    """What its build reads of the repository besides its own folder."""

    @property
    def path(self) -> Path:
        """Where its sources stand."""
        return GATEWAYS / self.folder


GO = Kind("Go", "go", ("go",), reads=("protos", "client/go"))
NODE = Kind("TypeScript", "typescript", ("node", "npm"), reads=("protos", "client/typescript"))
GRPC_JS = Kind("TypeScript, grpc-js", "typescript", ("node", "npm"),
               {"POINTSMAN_CLIENT": "grpc-js"}, reads=("protos", "client/typescript"))  # fmt: skip
JAVA = Kind("Java", "java", ("java", "mvn"))
PYTHON = Kind("Python", "python", ("python3",), reads=("protos", "client", "pyproject.toml"))
RUST = Kind("Rust", "rust", ("cargo",))
KINDS = (GO, NODE, GRPC_JS, JAVA, PYTHON, RUST)


@dataclass
class Gateway:
    """A running gateway."""

    program: Program
    url: str

    def ask(
        self, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """One chat completion request."""
        content = body if isinstance(body, bytes) else None
        json = None if isinstance(body, bytes) else dict(body)
        sent = {"content-type": "application/json", **(headers or {})}
        url = self.url + COMPLETIONS
        return httpx.post(url, content=content, json=json, headers=sent, timeout=_PATIENCE)


@contextlib.contextmanager
def gateway(
    kind: Kind,
    folder: Path,
    *,
    mode: str,
    pointsman: str,
    upstream: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Gateway]:
    """Build one if need be, and run it inside the block; its log goes to `folder`."""
    build(kind)
    port = free_port()
    variables = {
        "PORT": str(port),
        "MODE": mode,
        "POINTSMAN_ADDRESS": pointsman,
        "UPSTREAM_URL": upstream,
        "PYTHONPATH": "",  # an example runs on what its README installs
        **kind.environment,
        **(environment or {}),
    }
    name = f"gateway-{kind.folder}-{mode}"
    with program(
        _run_command(kind), name=name, folder=folder, environment=variables, directory=kind.path
    ) as running:
        running.said(r"gateway listening on \S+")
        yield Gateway(running, f"http://127.0.0.1:{port}")


def build(kind: Kind) -> None:
    """Build it, unless that has been done with the same sources and the same contract."""
    need(*kind.tools)
    stamp = kind.path / _STAMP
    sources = _digest(kind)
    if stamp.exists() and stamp.read_text() == sources:
        return
    stamp.unlink(missing_ok=True)
    run(["bash", "-euo", "pipefail", "-c", _blocks(kind)[0]], directory=kind.path)
    stamp.write_text(sources)


def _run_command(kind: Kind) -> Sequence[str]:
    """What the README says to run, without the variables before it."""
    words = shlex.split(_blocks(kind)[1])
    first = next(at for at, word in enumerate(words) if "=" not in word)
    return words[first:]


def _blocks(kind: Kind) -> list[str]:
    """The shell blocks of its README: how it is built, and how it is run."""
    return re.findall(
        r"^```sh\n(.*?)^```", (kind.path / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


def _digest(kind: Kind) -> str:
    """A hash of what git would commit of its folder and of what its build reads besides."""
    sources = [kind.path, *(ROOT / name for name in kind.reads)]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *sources],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    digest = hashlib.sha256()
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        if (path := ROOT / name).is_file():
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
