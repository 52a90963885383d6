"""A real Helm, built from its Go module into the cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from e2e.parts.cache import cached
from e2e.parts.toolchain import need, search_path

MODULE = "helm.sh/helm/v3/cmd/helm"
VERSION = "v3.19.0"
CHART = Path(__file__).parents[3] / "deploy" / "helm" / "pointsman"


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of Helm's; its output is text."""
    return subprocess.run(
        [_installed() / "helm", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def _installed() -> Path:
    need("go")
    return cached(f"helm-{VERSION}", _build)


def _build(folder: Path) -> None:
    subprocess.run(
        ["nice", "go", "install", f"{MODULE}@{VERSION}"],
        env=os.environ | {"PATH": search_path(), "GOBIN": str(folder)},
        check=True,
        capture_output=True,
        timeout=1_500,
    )
