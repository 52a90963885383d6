"""The house itself: rooms, contract, wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LONGEST_MODULE = 300


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_rooms_depend_in_one_direction_only() -> None:
    linted = run(str(BIN / "lint-imports"), "--no-cache")
    assert linted.returncode == 0, linted.stdout


def test_the_references_are_those_of_what_they_describe() -> None:
    checked = run(sys.executable, "tools/reference.py", "--check")
    assert checked.returncode == 0, checked.stderr


def test_the_stubs_are_those_of_the_contract() -> None:
    checked = run(sys.executable, "tools/stubs.py", "--check")
    assert checked.returncode == 0, checked.stderr


def test_the_contract_keeps_the_rules_of_buf() -> None:
    for arguments in (("lint",), ("format", "--diff", "--exit-code")):
        linted = run(str(BIN / "buf"), *arguments)
        assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("folder", ["server", "client", "integrations"])
def test_modules_stay_small(folder: str) -> None:
    modules = [p for p in (ROOT / folder).rglob("*.py") if not p.stem.endswith("_pb2")]
    lengths = {p: len(p.read_text().splitlines()) for p in modules}
    assert not {str(p): n for p, n in lengths.items() if n > LONGEST_MODULE}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder))
    built = run(*command)
    assert built.returncode == 0, built.stdout + built.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


PACKAGES = {
    "pointsman", "pointsman_server", "pointsman_client", "pointsman_extproc", "pointsman_http",
    "pointsman_litellm",
}  # fmt: skip


def test_the_wheel_holds_the_packages_and_what_they_ship(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == PACKAGES
    assert "pointsman_server/policies/default.yaml" in names
    assert "pointsman_server/engines/local/local.bin" in names
    assert "pointsman/v1/route_decision.proto" in names
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_plain_install_is_the_light_client(wheel: zipfile.ZipFile) -> None:
    [metadata] = [n for n in wheel.namelist() if n.endswith("METADATA")]
    required = Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist") or []
    plain = {r.split(">")[0].split("<")[0].split("=")[0] for r in required if "extra ==" not in r}
    assert plain == {"grpcio", "protobuf"}


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pydantic", "aiohttp", "httpx", "numpy", "aiocache", "yaml",
                                      "opentelemetry", "grpc_health", "grpc_status", "google.rpc",
                                      "prometheus_client"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from pointsman_server.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("command", "extra"), [("serve", "server"), ("ext-proc", "ext-proc")])
def test_without_its_dependencies_a_command_says_what_to_install(command: str, extra: str) -> None:
    ran = run(sys.executable, "-c", BLOCKED, command)
    assert ran.returncode == 2
    assert f"pip install '.[{extra}]'" in ran.stderr


def test_without_the_servers_dependencies_the_client_works() -> None:
    helped = run(sys.executable, "-c", BLOCKED, "decide", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "usage: pointsman decide" in helped.stdout
