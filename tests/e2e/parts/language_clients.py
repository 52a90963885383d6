"""The clients of other languages: copied, tested by their own tests against a real service."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from e2e.parts.pointsman import MorphApi, pointsman_serve, policy_document
from e2e.parts.toolchain import search_path
from support.certificates import Authority
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "e2e-token-of-a-client"
_LIMIT = 300.0
_SHARED = ("protos", "buf.yaml", "client/error_cases.json")
_PURPOSES = {
    "provider": "openai",
    "model": "gpt-5.4",
    "profiles": {"cheap": {"model": "gpt-4o-mini"}},
    "routes": {"main_loop": {"profile": "cheap", "fallback_profiles": ["default"]}},
}


def copy_of(client: str, folder: Path) -> Path:
    """A copy of a folder under `client/`, with the contract and the cases that all share."""
    for name in (f"client/{client}", *_SHARED):
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", name],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for path in filter(None, listed.split("\0")):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
    return folder / "client" / client


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders have the same files with the same content."""

    def files(folder: Path) -> dict[Path, bytes]:
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    return bool(files(one)) and files(one) == files(other)


@contextlib.contextmanager
def plaintext(folder: Path, morph: MorphApi) -> Iterator[dict[str, str]]:
    """A service on loopback; yields the variables that lead a client's tests there."""
    http = f"127.0.0.1:{free_port()}"
    policy = policy_document(morph.url, mode="serve", llm=_PURPOSES)
    settings = {"POINTSMAN_HTTP_LISTEN": http}
    with pointsman_serve(folder, policy=policy, environment=settings) as service:
        yield {"POINTSMAN_ADDRESS": service.address, "POINTSMAN_HTTP": f"http://{http}"}


@contextlib.contextmanager
def secured(folder: Path, morph: MorphApi) -> Iterator[dict[str, str]]:
    """A service with TLS that requires client certificates and tokens; yields the variables."""
    port = free_port()
    policy = policy_document(morph.url, mode="serve", llm=_PURPOSES)
    pair = Authority(folder, f"clients-{port}").issue()
    settings = {"POINTSMAN_HTTP_LISTEN": f"127.0.0.1:{port}"}
    with pointsman_serve(
        folder, policy=policy, environment=settings, tls=pair, token=TOKEN
    ) as service:
        yield {
            "POINTSMAN_ADDRESS": f"localhost:{service.address.rpartition(':')[2]}",
            "POINTSMAN_HTTP": f"https://localhost:{port}",
            "POINTSMAN_CA": str(pair.ca),
            "POINTSMAN_CERT": str(pair.certificate),
            "POINTSMAN_KEY": str(pair.key),
            "POINTSMAN_TOKEN": TOKEN,
        }


SERVICES = {"plaintext": plaintext, "TLS, client certificates and tokens": secured}


def run_tests(command: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> str:
    """Run a client's tests; their output, which is the message if one fails."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("POINTSMAN_")}
    done = subprocess.run(
        ["nice", *command],
        cwd=directory,
        env=inherited | {"PATH": search_path()} | dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}\n{done.stderr}".strip(), pytrace=False)
    return done.stdout
