"""The plain manifests: those of the Helm chart, and a kustomization that builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from e2e.parts.helm import helm_program, kustomize

pytestmark = pytest.mark.timeout(1_600)
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
PAGE = ROOT / "docs" / "operating.md"


def built(folder: Path) -> dict[str, dict[str, Any]]:
    done = kustomize(folder)
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


def test_the_manifests_are_those_of_the_chart() -> None:
    command = [sys.executable, str(ROOT / "tools" / "manifests.py"), "--check"]
    command += ["--helm", str(helm_program())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_kustomize_builds_every_object() -> None:
    objects = built(FOLDER)
    assert objects.keys() == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
    for each in objects.values():
        kubernetes_validate.validate(each, "1.37", strict=True)
    assert "registry.example.com/pointsman:" in str(objects["Deployment"])
    assert "helm" not in str(objects).lower()


def test_the_overlay_of_the_page_sets_what_is_its_own(tmp_path: Path) -> None:
    [overlay] = re.findall(r"```yaml\n(resources:.*?)```", PAGE.read_text(), re.DOTALL)
    base = os.path.relpath(FOLDER, tmp_path)  # kustomize refuses absolute paths
    text = overlay.replace("../pointsman/deploy/kubernetes", base)
    (tmp_path / "kustomization.yaml").write_text(text)
    (tmp_path / "policy.yaml").write_text("mode: shadow\n")
    objects = built(tmp_path)
    assert "'registry.your.org/pointsman:0.2.0'" in str(objects["Deployment"])
    assert "'http://collector.tracing:4317'" in str(objects["Deployment"])
    assert "collector.observability" not in str(objects["Deployment"])
    assert objects["ConfigMap"]["data"] == {"policy.yaml": "mode: shadow\n"}
    [*_, collector, _] = objects["NetworkPolicy"]["spec"]["egress"]
    assert (collector["ports"][0]["port"], "'tracing'" in str(collector)) == (4317, True)
