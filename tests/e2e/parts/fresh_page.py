"""Follow a page as a newcomer does: in a copy of the repository, a new home, an empty environment.

Every command of the page runs as it stands, the installation included. Only well-known ports are
free ones, and a program that serves goes on in the background, as in a second terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from docs.parts import pointsman
from docs.parts.blocks import SHELL, Block, blocks_of, commands, shows
from support.ports import free_port
from support.redis_server import RealServer

ROOT = Path(__file__).parents[3]
INSTALLS = "a test does not install packages"
PORTS = {"LISTEN": 50051, "ADMIN_LISTEN": 50052, "HTTP_LISTEN": 50053, "METRICS_LISTEN": 9464}
REDIS = 6379
PATIENCE = 600
_ADDRESS = re.compile(r"\b(?:127\.0\.0\.1|localhost|0\.0\.0\.0):(\d{4,5})\b")
_PROGRAM = 'python "$PAGE_PROGRAM" "$@"'
_HEAD = (
    'if [ -f "$PAGE_STATE" ]; then . "$PAGE_STATE"; fi; cd "$PAGE_FOLDER"; set -euo pipefail\n'
    f"pointsman() {{ {_PROGRAM}; }}\n"
)
_TAIL = '\ndeclare -px > "$PAGE_STATE"\n'
_DRIVER = """
import ast, asyncio, inspect, json, sys, traceback
names, loop = {}, asyncio.new_event_loop()
for line in sys.stdin:
    try:
        code = compile(json.loads(line), "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)
        if inspect.iscoroutine(running):
            loop.run_until_complete(running)
        said = ""
    except BaseException:
        said = traceback.format_exc()
    print(json.dumps({"page": said}), flush=True)
"""


@dataclass
class FreshPage:
    """One page's run in `folder`; `seconds` has what each part took."""

    folder: Path
    venv: Path
    """The reader's virtual environment, unless the page makes one."""
    seconds: dict[str, float] = field(default_factory=dict)
    _ports: dict[int, int] = field(default_factory=dict)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _python: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        for name in ("home", "servers"):
            (self.folder / name).mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                target = self.clone / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._python is not None:
            self._python.kill()
            self._python.communicate()
        for each in pointsman.SERVES:
            pointsman.stop(self.folder / "servers" / each)
        self._stack.close()

    @property
    def clone(self) -> Path:
        """The folder that the reader is in."""
        return self.folder / "pointsman"

    def follow(self, text: str) -> None:
        """Run every block. Raises `AssertionError` with the line."""
        for block in blocks_of(text):
            began = time.monotonic()
            installs = block.marks.get("not run") == INSTALLS
            if {"not run", "run by"} & block.marks.keys() and not installs:
                continue
            self._block(block)
            part = "installation" if installs else "page"
            self.seconds[part] = self.seconds.get(part, 0) + time.monotonic() - began

    def _block(self, block: Block) -> None:
        if block.marks.get("with") == "redis" and REDIS not in self._ports:
            server = self._stack.enter_context(RealServer())
            self._ports[REDIS] = server.port
        status = int(block.marks.get("exits", 0))
        if block.language == "console":
            for command, expected in commands(block):
                printed = self._bash(command, block, status=status)
                assert not expected.strip() or shows(self._here(expected), printed), (
                    f"line {block.line}: {command}prints\n{printed}and not\n{expected}"
                )
        elif block.language in SHELL:
            self._bash(block.text, block, status=status)
        elif block.language == "python":
            self._run_python(block)
        elif "file" in block.marks:
            (self.clone / block.marks["file"]).write_text(self._here(block.text))

    def _bash(self, script: str, block: Block, *, status: int) -> str:
        done = subprocess.Popen(
            ["bash", "-c", _HEAD + self._here(script) + _TAIL],
            cwd=self.clone, env=self._environment(), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = done.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)
            raise
        assert done.returncode == status, f"line {block.line}: {script}\n{out}{err}"
        return out

    def _run_python(self, block: Block) -> None:
        if self._python is None:
            self._python = subprocess.Popen(
                ["bash", "-c", f'{_HEAD}exec python -c "$PAGE_DRIVER"'],
                cwd=self.clone, env=self._environment() | {"PAGE_DRIVER": _DRIVER}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.write(json.dumps(self._here(block.text)) + "\n")
        self._python.stdin.flush()
        for line in self._python.stdout:
            said: Any = json.loads(line) if line.startswith('{"page"') else None
            if said is not None:
                assert not said["page"], f"line {block.line}: {said['page']}"
                return
        raise AssertionError(f"line {block.line}: the interpreter ended")

    def _port(self, well_known: int) -> int:
        return self._ports.setdefault(well_known, free_port())

    def _here(self, text: str) -> str:
        text = _ADDRESS.sub(lambda found: f"127.0.0.1:{self._port(int(found[1]))}", text)
        return text.replace("redis-cli ", f"redis-cli -p {self._ports.get(REDIS, REDIS)} ")

    def _environment(self) -> dict[str, str]:
        listen = {
            f"POINTSMAN_{name}": f"127.0.0.1:{self._port(port)}" for name, port in PORTS.items()
        }
        return listen | {
            "PATH": f"{self.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "PIP_CACHE_DIR": str(self.venv / "pip-cache"),
            "PAGE_FOLDER": str(self.clone),
            "PAGE_STATE": str(self.folder / "state"),
            "PAGE_SERVERS": str(self.folder / "servers"),
            "PAGE_PROGRAM": str(ROOT / "tests/docs/parts/pointsman.py"),
            "POINTSMAN_ADDRESS": listen["POINTSMAN_LISTEN"],
        }
