"""A real Helm and a real kustomize, built from their Go modules into the cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from e2e.parts.cache import cached
from e2e.parts.toolchain import need, search_path

HELM = ("helm.sh/helm/v3/cmd/helm", "v3.19.0")
KUSTOMIZE = ("sigs.k8s.io/kustomize/kustomize/v5", "v5.7.1")
CHART = Path(__file__).parents[3] / "deploy" / "helm" / "pointsman"


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of Helm's; its output is text."""
    return _run(helm_program(), *arguments)


def helm_program() -> Path:
    """Return the path of Helm."""
    return _installed("helm", *HELM)


def kustomize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a kustomization, as `kubectl apply -k` does; its output is text."""
    return _run(_installed("kustomize", *KUSTOMIZE), "build", str(folder))


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _installed(program: str, module: str, version: str) -> Path:
    need("go")

    def build(folder: Path) -> None:
        subprocess.run(
            ["nice", "go", "install", f"{module}@{version}"],
            env=os.environ | {"PATH": search_path(), "GOBIN": str(folder)},
            check=True,
            capture_output=True,
            timeout=1_500,
        )

    return cached(f"{program}-{version}", build) / program
