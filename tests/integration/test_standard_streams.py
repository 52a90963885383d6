"""The lines of a serving process: JSON where that is asked for, and closed streams."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap import runtime
from pointsman_server.core.errors import PolicyInvalid, Problem, SettingInvalid
from support.served import Starter, policy_text, request

ADDRESSES = {
    f"POINTSMAN_{name}": "127.0.0.1:0" for name in ("LISTEN", "ADMIN_LISTEN", "METRICS_LISTEN")
}


async def serve(shell: str, **variables: str) -> asyncio.subprocess.Process:
    """Start `pointsman serve`, with redirections as a shell has them."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("POINTSMAN_", "OTEL_"))}
    command = f"exec {sys.executable} -m pointsman_server serve {shell}"
    return await asyncio.create_subprocess_shell(
        command,
        env=inherited | ADDRESSES | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def messages(errors: bytes) -> list[str]:
    """Every line is a JSON object with a message."""
    return [json.loads(line)["message"] for line in errors.splitlines()]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LISTEN", "taken", "POINTSMAN_LISTEN: cannot listen on "),
        ("DRAIN", "5q", "POINTSMAN_DRAIN: must be a duration"),
        ("MODE", "serve", "POINTSMAN_MODE: no setting has this name: did you mean"),
        ("POLICY_FILE", "/no/such", "cannot read /no/such: No such file or directory"),
    ],
)
async def test_a_failed_start_is_json_where_the_log_is(name: str, value: str, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if value == "taken":
            value = f"127.0.0.1:{taken.getsockname()[1]}"
        child = await serve("", POINTSMAN_LOG_FORMAT="JSON", **{f"POINTSMAN_{name}": value})
        output, errors = await child.communicate()
    assert child.returncode == 2
    assert messages(errors)[-1].startswith(told)
    assert output == b""


async def test_bad_usage_is_json_where_the_log_is() -> None:
    child = await serve("--listne x", POINTSMAN_LOG_FORMAT="json")
    _, errors = await child.communicate()
    assert child.returncode == 2
    assert messages(errors) == ["unrecognized arguments: --listne x; did you mean --listen?"]


DISTURBED = """
import sys, threading, warnings
from pointsman_server import __main__
from pointsman_server.bootstrap import serve

inner = serve.serving

def serving(*given, **named):
    class Finaliser:
        def __del__(self):
            raise ValueError("a canary")
    Finaliser()
    warnings.warn("a warning")
    thread = threading.Thread(target=lambda: {}["a canary"])
    thread.start()
    thread.join()
    raise KeyError("a canary")

serve.serving = serving
sys.exit(__main__.main(["serve"]))
"""
"""A service in which all goes wrong that the interpreter would print by itself."""


async def test_what_the_interpreter_says_by_itself_is_json_and_quotes_nothing() -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("POINTSMAN_", "OTEL_"))}
    variables = inherited | ADDRESSES | {"POINTSMAN_LOG_FORMAT": "json"}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DISTURBED), env=variables, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await child.communicate()
    told = messages(errors)
    assert child.returncode == 1
    assert [line for line in told if "a warning" in line]
    assert told[-1] == "the process ends by an error"
    assert "a thread ends by an error" in told
    assert "an error in a finaliser is left alone" in told
    assert b"a canary" not in errors


async def _started(child: asyncio.subprocess.Process) -> list[bytes]:
    assert child.stderr is not None
    lines = [await child.stderr.readline()]
    while b"serving on" not in lines[-1]:
        assert lines[-1], lines
        lines.append(await child.stderr.readline())
    return lines


@pytest.mark.parametrize("closed", [">&-", "<&-", ">&- <&-"])
async def test_closed_streams_lose_their_lines_and_nothing_else(closed: str) -> None:
    child = await serve(closed, POINTSMAN_LOG_FORMAT="json", POINTSMAN_LOG_LEVEL="ERROR")
    lines = await asyncio.wait_for(_started(child), 60)
    standard = [_target(child.pid, number) for number in range(3)]
    child.send_signal(signal.SIGTERM)
    output, errors = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0
    assert messages(b"".join(lines) + errors)[-1].startswith("pointsman serving on")
    assert output == b""
    assert [standard[n] == "/dev/null" for n in (0, 1) if "<>"[n] in closed] != []
    assert all(standard[n] == "/dev/null" for n in (0, 1) if "<>"[n] in closed)


def _target(pid: int, number: int) -> str:
    return str(Path(f"/proc/{pid}/fd/{number}").readlink())


async def test_a_start_that_fails_leaves_no_connection_open(
    start: Starter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engine morph is built before the cache is refused."""

    async def refused(*_: Any, **__: Any) -> None:
        raise PolicyInvalid([Problem("cache", "is refused")])

    monkeypatch.setattr(runtime, "build_cache", refused)
    with pytest.raises(PolicyInvalid, match="is refused"):
        await start(policy=policy_text(engines={"order": ["morph", "local"]}))
    gc.collect()
    await asyncio.sleep(0)
    assert "Unclosed" not in caplog.text


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero"])
@pytest.mark.parametrize(
    "settings",
    [
        {"hash_key_file": ""},
        {"tokens_file": ""},
        {"tls_cert_file": "", "tls_key_file": ""},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_a_file_that_never_ends_is_refused(
    start: Starter, fifo: str, kind: str, settings: dict[str, Any]
) -> None:
    path = fifo if kind == "fifo" else kind
    with pytest.raises(SettingInvalid, match="not a regular file"):
        await start(**dict.fromkeys(settings, Path(path)))


@pytest.mark.timeout(20)
async def test_a_file_of_authorities_that_never_ends_is_refused(start: Starter, fifo: str) -> None:
    cache = {"url": "rediss://127.0.0.1:1", "ca_file": fifo}
    with pytest.raises(PolicyInvalid, match=r"cache\.ca_file: .*not a regular file"):
        await start(policy=policy_text(cache=cache))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero"])
async def test_a_key_that_never_ends_fails_the_engine_and_not_the_service(
    start: Starter, fifo: str, kind: str
) -> None:
    path = fifo if kind == "fifo" else kind
    engines = {
        "order": ["morph", "local"],
        "morph": {"url": "http://127.0.0.1:1", "key_file": path},
    }
    peer = await start(
        policy=policy_text(engines=engines),
        environment={"POINTSMAN_MORPH_ROUTER_ENABLED": "true"},
    )
    answer = await peer.decide(request())
    assert answer.decision.source == pb.SOURCE_LOCAL
