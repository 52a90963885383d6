"""The generator of the plain manifests, without Helm: `tests/e2e` compares with the chart."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "manifests.py"))
RENDERED = "---\n# Source: x\nkind: Service\n---\nkind: Deployment\n"


def folder_of(path: Path, *resources: str, **extra: str) -> Path:
    for name, text in TOOL["files"](RENDERED).items():
        (path / name).write_text(text)
    for name, text in extra.items():
        (path / f"{name}.yaml").write_text(text)
    (path / "kustomization.yaml").write_text(f"resources: [{', '.join(resources)}]\n")
    return path


def test_a_folder_of_the_objects_is_right(tmp_path: Path) -> None:
    listed = ("service.yaml", "deployment.yaml", "namespace.yaml")
    folder = folder_of(tmp_path, *listed, namespace="kind: Namespace\n")
    made = TOOL["files"](RENDERED)
    assert TOOL["stale_files"](made, folder) == TOOL["unlisted"](made, folder) == []


def test_an_object_that_is_no_longer_made_is_stale(tmp_path: Path) -> None:
    text = TOOL["HEADER"] + "kind: Role\n"
    folder = folder_of(tmp_path, "service.yaml", "deployment.yaml", "role.yaml", role=text)
    (folder / "service.yaml").write_text("")
    made = TOOL["files"](RENDERED)
    assert TOOL["stale_files"](made, folder) == ["service.yaml", "role.yaml"]
    assert TOOL["unlisted"](made, folder) == ["role.yaml"]


def test_an_object_that_the_kustomization_leaves_out_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "service.yaml", "absent.yaml")
    made = TOOL["files"](RENDERED)
    assert TOOL["unlisted"](made, folder) == ["absent.yaml", "deployment.yaml"]


def test_two_objects_of_one_file_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two objects for service\.yaml"):
        TOOL["files"](RENDERED + "---\nkind: Service\n")
