"""The image as it is run in production: read-only, without rights, by a user of no name.

`make container-check` runs these against what `make container` built, with docker or podman.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.parts.processes import PATIENCE, until
from e2e.parts.toolchain import need
from support.ports import free_port

ROOT = Path(__file__).parents[2]
ENGINE = os.environ.get("CONTAINER", "podman")
IMAGE = os.environ.get("IMAGE", "localhost/pointsman")
LOCKED_DOWN = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")

pytestmark = pytest.mark.timeout(180)


def engine(*words: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [ENGINE, *words], capture_output=True, text=True, check=False, timeout=PATIENCE / 2
    )
    assert not ok or done.returncode == 0, f"{ENGINE} {' '.join(words)}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Container:
    id: str
    address: str

    def log(self) -> str:
        done = engine("logs", self.id)
        return done.stdout + done.stderr

    def execute(self, *words: str) -> subprocess.CompletedProcess[str]:
        return engine("exec", self.id, *words, ok=False)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        return self.execute("python", "-c", code)

    def health_check(self) -> int:
        """The exit status of the image's own health check."""
        (image,) = json.loads(engine("image", "inspect", IMAGE).stdout)
        # podman's place for it, and docker's.
        check = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
        assert check[0] == "CMD", "a health check without a shell"
        return engine(
            "exec", "--env", f"POINTSMAN_ADDRESS={self.address}", self.id, *check[1:], ok=False
        ).returncode

    def state(self) -> tuple[str, int]:
        found = engine("inspect", self.id, "--format", "{{.State.Status}} {{.State.ExitCode}}")
        status, code = found.stdout.split()
        return status, int(code)


@contextlib.contextmanager
def container(**environment: str) -> Iterator[Container]:
    """The image, serving on ports of this machine's loopback."""
    need(ENGINE)
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "POINTSMAN_LISTEN": address,
        "POINTSMAN_ADMIN_LISTEN": "",
        "POINTSMAN_HTTP_LISTEN": "",
        "POINTSMAN_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        **environment,
    }
    flags = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    made = engine("run", "--detach", "--network=host", *LOCKED_DOWN, *flags, IMAGE)
    running = Container(made.stdout.strip(), address)
    try:
        until(lambda: "serving on" in running.log(), what=lambda: f"a start:\n{running.log()}")
        yield running
    finally:
        engine("rm", "--force", running.id)


@pytest.fixture(scope="module")
def served() -> Iterator[Container]:
    with container() as running:
        yield running


def test_it_runs_as_a_user_without_a_name(served: Container):
    assert served.python("import os; print(os.getuid(), os.getgid())").stdout == "65532 65532\n"


def test_it_has_no_capability_left(served: Container):
    status = served.python("print(open('/proc/1/status').read())").stdout
    assert re.findall(r"Cap(?:Eff|Prm|Bnd|Amb):\s*(\w+)", status) == ["0" * 16] * 4


def test_it_cannot_write_to_its_file_system(served: Container):
    for folder in ("", "/opt/pointsman", "/etc", "/home"):
        refused = served.python(f"open('{folder}/x', 'w')")
        assert refused.returncode == 1, folder
        assert re.search("Read-only file system|Permission denied", refused.stderr), folder


def test_its_environment_holds_what_is_locked_and_no_more(served: Container):
    installed = served.python(
        "from importlib.metadata import distributions as all; from sysconfig import get_path;"
        "print(*(f'{d.name}=={d.version}' for d in all(path=[get_path('purelib')])), sep='\\n')"
    ).stdout.split()
    lock = (ROOT / "requirements" / "server.txt").read_text()
    locked = re.findall(r"^([\w.-]+==[^\s;]+)", lock, re.MULTILINE)
    assert {_name(each) for each in installed if not each.startswith("pointsman==")} == {
        _name(each) for each in locked
    }


def test_its_health_check_says_that_it_serves(served: Container):
    assert served.health_check() == 0


def test_the_demo_passes_against_it(served: Container):
    demo = [sys.executable, "examples/demo.py", "--address", served.address]
    done = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_ends_well_when_it_is_told_to():
    with container() as running:
        engine("stop", "--time", "30", running.id)
        assert running.state() == ("exited", 0)
        assert "stopping" in running.log()


def test_while_it_drains_its_health_check_fails_and_calls_are_answered():
    with container(POINTSMAN_DRAIN="15") as running:
        engine("kill", "--signal", "TERM", running.id)
        until(lambda: "stopping" in running.log(), what="the stop")
        assert running.health_check() == 3
        decided = running.execute(
            "pointsman", "decide", "Rename x to y.", "--tier", "kilo-auto/small",
            "--address", running.address,
        )  # fmt: skip
        assert decided.returncode == 0, decided.stderr
        until(lambda: running.state() == ("exited", 0), what="a graceful end")


def test_it_listens_beyond_the_container_only_when_it_is_told_how():
    """The image's own addresses are reachable; without TLS it asks for a word."""
    need(ENGINE)
    refused = engine("run", "--rm", "--network=host", *LOCKED_DOWN, IMAGE, ok=False)
    assert refused.returncode == 2
    assert "POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK" in refused.stdout + refused.stderr


def _name(pinned: str) -> str:
    """`Some_Package==1` as an index knows it."""
    name, _, version = pinned.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"
