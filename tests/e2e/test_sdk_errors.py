"""Errors of the providers' own clients, as they raise them, and what the fallback makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from e2e.parts.cache import cached

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements" / "sdks.txt"

KINDS = {
    "openai stream server_is_overloaded": "http_503",
    "openai stream rate_limit_exceeded": "http_429",
    "openai stream server_error": "http_500",
    "openai 429": "http_429",
    "openai 503": "http_503",
    "openai 400": "http_400",
    "openai reset": "connection",
    "openai short": "connection",
    "openai refused": "connection",
    "openai tls": "connection",
    "anthropic stream overloaded": "http_529",
    "anthropic 429": "http_429",
    "anthropic 529": "http_529",
    "anthropic 400": "http_400",
    "anthropic reset": "connection",
    "botocore ThrottlingException": "http_429",
    "botocore ServiceUnavailableException": "http_503",
    "botocore reset": "connection",
    "botocore refused": "connection",
    "google-genai 503": "http_503",
    "google-genai stream": "http_503",
    "google-genai reset": "connection",
    "google-genai page": "unusable_response",
    "requests short": "connection",
    "requests reset": "connection",
    "requests refused": "connection",
    "requests page": "unusable_response",
    "requests tls": "connection",
    "aiohttp short": "connection",
    "aiohttp 503": "http_503",
    "aiohttp page": "unusable_response",
    "aiohttp reset": "connection",
    "aiohttp refused": "connection",
    "urllib 503": "http_503",
    "urllib short": "connection",
    "urllib refused": "connection",
    "grpc unavailable": "http_503",
    "grpc deadline": "http_504",
    "grpc.aio unavailable": "http_503",
}


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--require-hashes", "--target", folder, "-r", PINNED], check=True, timeout=900
    )


@pytest.fixture(scope="module")
def found() -> dict[str, list[str | None]]:
    name = f"sdks-{sha256(PINNED.read_bytes()).hexdigest()[:12]}"
    paths = [cached(name, _install), ROOT / "client", ROOT / "protos"]
    run = subprocess.run(
        # -S -P: neither the packages of this environment nor the modules beside the program.
        [sys.executable, "-S", "-P", ROOT / "tests/e2e/parts/sdk_errors.py"],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    cases: dict[str, list[str | None]] = json.loads(run.stdout)
    return cases


@pytest.mark.timeout(900)
def test_every_case_ran(found: dict[str, list[str | None]]) -> None:
    assert found.keys() == KINDS.keys()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", KINDS)
def test_an_error_has_its_kind(found: dict[str, list[str | None]], case: str) -> None:
    name, kind = found[case]
    assert kind == KINDS[case], name
