"""`client/go`: its own tests against a real service, over gRPC and HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.parts.language_clients import ROOT, SERVICES, copy_of, plaintext, run_tests, same_files
from e2e.parts.pointsman import MorphApi
from e2e.parts.toolchain import need, run

CLIENT = ROOT / "client" / "go"
LIVE = {
    "TestLiveDecisions",
    "TestLiveRefusals",
    "TestLiveOtherCalls",
    "TestLiveMirror",
    "TestLiveMany",
}
LISTENERS = {"POINTSMAN_ADDRESS", "POINTSMAN_HTTP"}

pytestmark = pytest.mark.part("Go client")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, vetted together with its tests."""
    need("go", "buf")
    copied = copy_of("go", tmp_path_factory.mktemp("go-client"))
    run(["go", "vet", "./..."], directory=copied)
    return copied


@pytest.mark.scenario("formatted; go.mod lists what is used, and the licence is there")
def test_the_module_is_true(built: Path) -> None:
    unformatted = run_tests(["gofmt", "-l", "."], directory=built, environment={})
    assert unformatted == ""
    run(["go", "mod", "tidy", "-diff"], directory=built)
    run(["go", "mod", "verify"], directory=built)
    assert (built / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.scenario("the committed stubs are those of the contract")
def test_the_committed_stubs_are_those_of_the_contract(built: Path) -> None:
    run(["buf", "generate"], directory=built)
    assert same_files(built / "gen", CLIENT / "gen")


@pytest.mark.scenario("the README's program runs by the README's commands")
def test_the_program_of_the_readme_runs(
    built: Path, folder: Path, morph: MorphApi, tmp_path: Path
) -> None:
    morph.always("gpt-5.5")
    page = (CLIENT / "README.md").read_text()
    [code] = re.findall(r"```go\n(package main\n.*?)```", page, re.DOTALL)
    [commands] = re.findall(r"```sh\n(go mod init.*?)```", page, re.DOTALL)
    with plaintext(folder, morph) as environment:
        code = code.replace("127.0.0.1:50051", environment["POINTSMAN_ADDRESS"])
        (tmp_path / "main.go").write_text(code)
        script = commands.replace("/path/to/pointsman/client/go", str(built))
        said = run_tests(["sh", "-euc", script], directory=tmp_path, environment={})
    assert said == "openai/gpt-5.5 routed\n"


@pytest.mark.scenario("every failure gives the static pick")
def test_every_failure_gives_the_static_pick(built: Path) -> None:
    said = run_tests(["go", "test", "-count=1", "-v", "."], directory=built, environment={})
    assert "--- PASS: TestEveryFailureOfTheServiceGivesTheStaticPick" in said


@pytest.mark.parametrize(
    "service", [pytest.param(name, marks=pytest.mark.scenario(name)) for name in SERVICES]
)
def test_a_real_service(service: str, built: Path, folder: Path, morph: MorphApi) -> None:
    morph.always("gpt-5.5")
    with SERVICES[service](folder, morph) as environment:
        said = run_tests(
            ["go", "test", "-count=1", "-v", "-run", "Live", "."],
            directory=built,
            environment=environment,
        )
    for test in LIVE:
        for listener in LISTENERS:
            assert f"--- PASS: {test}/{listener}" in said
    assert "--- PASS: TestLiveStream" in said
