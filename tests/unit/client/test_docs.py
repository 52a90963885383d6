"""The examples of docs/client.md run, in their order, against the fake service."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from pointsman_client import errors
from pointsman_client.cli import decide
from pointsman_client.errors import RoutingError
from pointsman_client.statuses import ERRORS
from pointsman_client.testing import FakeService, routed

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def test_the_examples_run(
    fake: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.always(routed("anthropic/claude-opus-4.8", difficulty="hard", explanation="hard"))
    token = tmp_path / "token"
    token.write_text("secret")
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        source = example.replace("127.0.0.1:50051", fake.target)
        source = source.replace("/run/secrets/pointsman-token", str(token))
        code = compile(source, "docs/client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)
        if inspect.iscoroutine(running):
            await running
    assert len(EXAMPLES) > 6
    assert len(fake.calls) == 6
    printed = capsys.readouterr().out
    assert "anthropic/claude-opus-4.8 routed\n" in printed
    assert "anthropic/claude-opus-4.8 hard hard\n" in printed


def test_the_table_of_errors_is_the_table() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    said = {
        status: getattr(errors, re.findall(r"`(\w+)`", names)[0])
        for names, statuses in rows
        for status in re.findall(r"\b[A-Z_]{5,}\b", statuses)
    }
    assert said == {code.name: error for code, error in ERRORS.items()}
    assert grpc.StatusCode.OK.name not in said
    named = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)}
    everything = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, RoutingError) and value is not RoutingError
    }
    assert everything <= named


def test_the_command_of_the_page_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(r"^\$ pointsman decide (.*)$", PAGE, re.MULTILINE)
    import shlex

    argv = [*shlex.split(command), "--address", "127.0.0.1:1", "--timeout", "30"]
    assert decide(argv) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err
