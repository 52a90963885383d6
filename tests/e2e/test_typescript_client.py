"""`client/typescript`: its own tests against a real service, over gRPC, HTTP and `fetch`."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from e2e.parts.cache import cached
from e2e.parts.language_clients import (
    ROOT,
    SERVICES,
    copy_of,
    run_tests,
    same_files,
)
from e2e.parts.pointsman import MorphApi
from e2e.parts.toolchain import need, run

CLIENT = ROOT / "client" / "typescript"
LISTENERS = {"gRPC", "HTTP from Node"}

pytestmark = pytest.mark.part("TypeScript client")


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((CLIENT / name).read_bytes())
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory=folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with its packages, compiled together with its tests."""
    need("node", "npm", "buf")
    lock = sha256((CLIENT / "package-lock.json").read_bytes()).hexdigest()[:12]
    packages = cached(f"typescript-client-{lock}", _install)
    copied = copy_of("typescript", tmp_path_factory.mktemp("typescript-client"))
    (copied / "node_modules").symlink_to(packages / "node_modules")
    run(["node_modules/.bin/tsc"], directory=copied)
    run(["node_modules/.bin/tsc", "-p", "tsconfig.test.json"], directory=copied)
    return copied


@pytest.mark.scenario("the committed stubs are those of the contract")
def test_the_committed_stubs_are_those_of_the_contract(built: Path) -> None:
    run(["buf", "generate"], directory=built)
    assert same_files(built / "src" / "gen", CLIENT / "src" / "gen")


@pytest.mark.scenario("every failure gives the static pick")
def test_every_failure_gives_the_static_pick(built: Path) -> None:
    said = run_tests(
        ["node", "--test", "build/test/offline.test.js"], directory=built, environment={}
    )
    assert "# fail 0" in said


@pytest.mark.parametrize(
    "service", [pytest.param(name, marks=pytest.mark.scenario(name)) for name in SERVICES]
)
def test_a_real_service(service: str, built: Path, folder: Path, morph: MorphApi) -> None:
    morph.always("gpt-5.5")
    with SERVICES[service](folder, morph) as environment:
        said = run_tests(
            ["node", "--test", "--test-reporter=tap", "build/test/live.test.js"],
            directory=built,
            environment=environment,
        )
    skipped = {line.partition(" # ")[0] for line in said.splitlines() if "# SKIP" in line}
    ran = {name for name in LISTENERS if not any(line.endswith(f"- {name}") for line in skipped)}
    assert ran == LISTENERS, said
