"""The version is the same wherever it is written."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_newest_section_of_the_changelog_has_the_version_and_a_date() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [each for each in headings if each != "[Unreleased]"]
    assert re.fullmatch(rf"\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d", released[0])


def test_the_manifests_name_the_image_of_the_version() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "kustomization.yaml").read_text()
    assert [image["newTag"] for image in yaml.safe_load(text)["images"]] == [VERSION]


def test_the_npm_package_has_the_version() -> None:
    for name in ("package.json", "package-lock.json"):
        text = (ROOT / "client" / "typescript" / name).read_text()
        assert json.loads(text)["version"] == VERSION
