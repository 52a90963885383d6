"""`client/typescript`: its own tests against a real service, over gRPC, HTTP and `fetch`."""

from __future__ import annotations

import re
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from e2e.parts.cache import cached
from e2e.parts.language_clients import (
    ROOT,
    SERVICES,
    copy_of,
    plaintext,
    run_tests,
    same_files,
)
from e2e.parts.pointsman import MorphApi
from e2e.parts.toolchain import need, run

CLIENT = ROOT / "client" / "typescript"
LISTENERS = {"gRPC", "HTTP from Node"}
PROGRAM = """
import { RoutingError, type Choice } from "pointsman-client";
import { grpcClient, httpClient } from "pointsman-client/node";
import { webClient } from "pointsman-client/web";

const clients = [grpcClient("127.0.0.1:1"), httpClient("http://127.0.0.1:1"), webClient("http://127.0.0.1:1")];
for (const client of clients) {
  const choice: Choice = await client.decide({ prompt: "Hi", userId: "user-1", tier: "t", staticPick: "vendor/a" });
  if (choice.model !== "vendor/a" || !(choice.error instanceof RoutingError)) throw new Error(choice.why);
  await client.close();
}
"""  # noqa: E501

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


@pytest.mark.scenario("the package has its files, entry points, types and licence")
def test_the_package_can_be_installed(built: Path, tmp_path: Path) -> None:
    """A fresh folder with the packed package alone: its types compile, its code runs."""
    run(["npm", "pack", "--ignore-scripts", "--pack-destination", tmp_path], directory=built)
    [packed] = tmp_path.glob("pointsman-client-*.tgz")
    own = tmp_path / "node_modules" / "pointsman-client"
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "packed", filter="data")
    own.parent.mkdir()
    (tmp_path / "packed" / "package").rename(own)
    for name in ("@bufbuild", "@connectrpc", "@types", "undici-types"):
        (own.parent / name).symlink_to(built / "node_modules" / name)
    assert (own / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (own / "README.md").is_file()
    assert {path.name for path in own.iterdir()} == {"LICENSE", "README.md", "dist", "package.json"}
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "program.ts").write_text(PROGRAM)
    options = ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"]
    run([built / "node_modules" / ".bin" / "tsc", *options, "program.ts"], directory=tmp_path)
    run(["node", "program.js"], directory=tmp_path)


@pytest.mark.scenario("the README's program runs")
def test_the_program_of_the_readme_runs(
    built: Path, folder: Path, morph: MorphApi, tmp_path: Path
) -> None:
    morph.always("gpt-5.5")
    page = (CLIENT / "README.md").read_text()
    [code] = re.findall(r"```ts\n(import .*?)```", page, re.DOTALL)
    run(["npm", "run", "build"], directory=built)
    packages = tmp_path / "node_modules"
    packages.mkdir()
    (packages / "pointsman-client").symlink_to(built)
    with plaintext(folder, morph) as environment:
        code = code.replace("127.0.0.1:50051", environment["POINTSMAN_ADDRESS"])
        (tmp_path / "main.mjs").write_text(f"{code}\nawait client.close();\n")
        said = run_tests(["node", "main.mjs"], directory=tmp_path, environment={})
    assert said == "openai/gpt-5.5 routed\n"


@pytest.mark.scenario("every failure gives the static pick")
def test_every_failure_gives_the_static_pick(built: Path) -> None:
    files = [f"build/test/{name}.test.js" for name in ("offline", "many", "fallback")]
    said = run_tests(["node", "--test", *files], directory=built, environment={})
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
