"""Runs a page: its commands, its Python and its policy snippets, in a folder of its own.

The blocks of a page run in their order and share that folder, the exported variables, the Python
names and the servers. Well-known ports of a page are free ones here.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from docs.parts import pointsman
from docs.parts.blocks import SHELL, Block, PageFault, blocks_of, commands, shows
from docs.parts.policies import checked, laid_over, refused
from google.protobuf import json_format
from google.protobuf.symbol_database import Default
from pointsman.v1 import routing_service_pb2  # noqa: F401  # the messages of `message`
from support.ports import free_port
from support.redis_server import RealServer

ROOT = Path(__file__).parents[3]
SERVER, ADMIN, HTTP, METRICS, REDIS = 50051, 50052, 50053, 9464, 6379
PATIENCE = 60
CHANGES_THE_MACHINE = ("pip", "npm", "apt-get", "docker", "podman", "kubectl", "make", "sudo")
_ADDRESS = re.compile(r"\b(?:127\.0\.0\.1|localhost|0\.0\.0\.0):(\d{4,5})\b")
_ASKS = re.compile(r"pointsman (decide|resolve)|127\.0\.0\.1:5005[13]|localhost:5005[13]")
_STATE = 'if [ -f "$PAGE_STATE" ]; then . "$PAGE_STATE"; fi; cd "$PWD"; set -euo pipefail\n'
_KEEP = '\ndeclare -px > "$PAGE_STATE"\n'


@dataclass(kw_only=True)
class PageRun:
    """One page's run; `aclose` ends what it started."""

    folder: Path
    ports: dict[int, int] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    refusal: list[str] | None = None
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        """Lay out the folder that commands run in, and the programs that they find."""
        for name in ("page", "bin", "servers"):
            (self.folder / name).mkdir()
        self._program("pointsman", f'exec "{sys.executable}" "{pointsman.__file__}" "$@"')
        self._program("python", f'exec "{sys.executable}" "$@"')
        for name in CHANGES_THE_MACHINE:
            self._program(name, f"echo 'no test runs {name}: mark the block' >&2; exit 97")
        (self.page / "examples").symlink_to(ROOT / "examples")
        (self.page / "docs").symlink_to(ROOT / "docs")
        (self.page / "protos").symlink_to(ROOT / "protos")

    @property
    def page(self) -> Path:
        """The folder that the page's commands run in."""
        return self.folder / "page"

    async def run(self, text: str) -> None:
        """Run every block of a page. Raises `PageFault`, with the line."""
        last = 1
        for block in blocks_of(text):
            try:
                await self._block(block)
            except PageFault as fault:
                raise PageFault(f"line {block.line}: {fault}") from None
            except Exception as error:
                raise PageFault(f"line {block.line}: {block.language}: {error!r}") from error
            last = block.line
        if self.refusal is not None:
            raise PageFault(f"line {last}: no `text` block shows the problems")

    async def aclose(self) -> None:
        """End the page's servers."""
        for each in pointsman.SERVES:
            await asyncio.to_thread(pointsman.stop, self.folder / "servers" / each)
        self.stack.close()

    async def _block(self, block: Block) -> None:
        self._shown_refusal(block)
        if "run by" in block.marks and not (ROOT / block.marks["run by"]).is_file():
            raise PageFault(f"there is no {block.marks['run by']}")
        if {"not run", "run by"} & block.marks.keys():
            return
        if block.marks.get("with") == "redis" and REDIS not in self.ports:
            server = self.stack.enter_context(RealServer())
            self.ports[REDIS] = server.port
            self._program("redis-cli", f'exec /usr/bin/env -u PATH redis-cli -p {server.port} "$@"')
        if block.language in SHELL:
            await self._shell(block)
        elif block.language == "python":
            await self._python(block)
        elif block.language == "yaml":
            self._policy(block)
        elif block.language in {"json", "jsonl"}:
            self._json(block)
        elif "file" in block.marks:
            (self.page / block.marks["file"]).write_text(self._here(block.text))

    async def _shell(self, block: Block) -> None:
        await self._served_if_asked(block.text)
        status = int(block.marks.get("exits", 0))
        if block.language != "console":
            await self._bash(block.text, status=status)
            return
        for command, expected in commands(block):
            printed = await self._bash(command, status=status)
            if expected.strip() and not shows(self._here(expected), printed):
                raise PageFault(f"{command}prints\n{printed}and not\n{expected}")

    async def _bash(self, script: str, *, status: int = 0) -> str:
        """What a script prints. It starts with what the ones before it exported."""
        running = await asyncio.create_subprocess_exec(
            "bash", "-c", _STATE + self._here(script) + _KEEP,
            cwd=self.page, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(running.communicate(), PATIENCE)
        except TimeoutError:
            os.killpg(running.pid, signal.SIGKILL)
            await running.communicate()
            raise PageFault(f"does not end: {script}") from None
        if running.returncode != status:
            told = (out + err).decode(errors="replace")
            raise PageFault(f"status {running.returncode} of\n{script}{told}")
        return out.decode()

    async def _python(self, block: Block) -> None:
        await self._served_if_asked(block.text)
        code = compile(
            self._here(block.text), f"line {block.line}", "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )  # fmt: skip
        exported = await self._bash("env -0")
        with (
            contextlib.chdir(self.page),
            patch.dict(os.environ, dict(v.split("=", 1) for v in exported.split("\0") if v)),
        ):
            running = eval(code, self.names)
            if inspect.iscoroutine(running):
                await asyncio.wait_for(running, PATIENCE)

    def _policy(self, block: Block) -> None:
        over = block.marks.get("over")
        text = laid_over(block.text, base=(self.page / over).read_text() if over else None)
        if "refused" in block.marks:
            self.refusal = refused(text)
            return
        checked(text)
        if "file" in block.marks:
            (self.page / block.marks["file"]).write_text(self._here(text))

    def _shown_refusal(self, block: Block) -> None:
        """After a snippet with problems, the next `text` block shows them."""
        if self.refusal is None or block.language != "text":
            return
        told, self.refusal = self.refusal, None
        shown = [re.sub(r" \(line \d+\)$", "", line) for line in block.text.splitlines()]
        if told != shown:
            raise PageFault("the problems are\n" + "\n".join(told))

    def _json(self, block: Block) -> None:
        texts = block.text.splitlines() if block.language == "jsonl" else [block.text]
        for value in map(json.loads, texts):
            if "message" in block.marks:
                message = Default().GetSymbol(block.marks["message"])()
                json_format.ParseDict(value, message)
        if "file" in block.marks:
            (self.page / block.marks["file"]).write_text(block.text)

    async def _served_if_asked(self, text: str) -> None:
        """Start a server for a block that asks one, where the page has started none."""
        alone = not (self.folder / "servers" / "serve").exists()
        starts = text.find("pointsman serve")
        asks = _ASKS.search(text)
        if alone and asks is not None and not 0 <= starts < asks.start():
            await self._bash("pointsman serve\n")

    def _port(self, well_known: int) -> int:
        return self.ports.setdefault(well_known, free_port())

    def _here(self, text: str) -> str:
        """The text, with free ports of this machine in the place of well-known ones."""
        return _ADDRESS.sub(lambda found: f"127.0.0.1:{self._port(int(found[1]))}", text)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        return kept | {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PWD": str(self.page),
            "REPOSITORY": str(ROOT),
            "PAGE_STATE": str(self.folder / "state"),
            "PAGE_SERVERS": str(self.folder / "servers"),
            "POINTSMAN_LISTEN": f"127.0.0.1:{self._port(SERVER)}",
            "POINTSMAN_ADDRESS": f"127.0.0.1:{self._port(SERVER)}",
            "POINTSMAN_ADMIN_LISTEN": f"127.0.0.1:{self._port(ADMIN)}",
            "POINTSMAN_HTTP_LISTEN": f"127.0.0.1:{self._port(HTTP)}",
            "POINTSMAN_METRICS_LISTEN": f"127.0.0.1:{self._port(METRICS)}",
        }

    def _program(self, name: str, line: str) -> None:
        program = self.folder / "bin" / name
        program.write_text(f"#!/bin/bash\n{line}\n")
        program.chmod(0o755)
