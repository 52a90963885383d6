"""What keeps a service from starting is told by the setting that it is about."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.settings import Settings
from pointsman_server.telemetry.service_log.formatters import configure_logging
from support.fleet import fleet
from support.ports import free_port
from support.redis_server import RealServer
from support.scripted import REMOTE, engines_section
from support.served import Starter, policy_text, request


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


async def said(**variables: str) -> tuple[int | None, str]:
    """The exit status and the standard error of `pointsman serve`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("POINTSMAN_", "OTEL_"))}
    addresses = dict.fromkeys(
        ("LISTEN", "ADMIN_LISTEN", "HTTP_LISTEN", "METRICS_LISTEN"), "127.0.0.1:0"
    )
    mine = {f"POINTSMAN_{name}": value for name, value in (addresses | variables).items()}
    command = (sys.executable, "-m", "pointsman_server", "serve")
    child = await asyncio.create_subprocess_exec(
        *command, env=inherited | mine, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await child.communicate()
    return child.returncode, errors.decode()


@pytest.mark.parametrize(("name", "value", "meant"), [
    ("TOKEN_FILE", "/etc/tokens", "POINTSMAN_TOKENS_FILE"),
    ("TLS_CLIENT_CA", "/etc/ca.crt", "POINTSMAN_TLS_CLIENT_CA_FILE"),
])  # fmt: skip
async def test_a_misspelt_setting_ends_the_command(name: str, value: str, meant: str) -> None:
    status, errors = await said(**{name: value})
    assert status == 2
    last = errors.splitlines()[-1]
    assert last == f"pointsman: POINTSMAN_{name}: no setting has this name: did you mean {meant}?"


async def test_workers_tell_of_a_misspelt_setting_once(tmp_path: Path) -> None:
    variables = {"POINTSMAN_TOKEN_FILE": "/etc/tokens"}
    async with fleet(tmp_path, "--workers", "3", environment=variables) as running:
        assert await running.ended() == 2
    assert sum("did you mean POINTSMAN_TOKENS_FILE?" in line for line in running.said) == 1


@pytest.mark.parametrize("engine", REMOTE)
async def test_a_key_that_the_policy_file_names_is_no_misspelt_setting(
    start: Starter, engine: str
) -> None:
    engines = engines_section(engine, "https://engine.test", key_env="POINTSMAN_HASH_KEYS")
    variables = {"POINTSMAN_HASH_KEYS": "key-of-an-engine"}
    await start(policy=policy_text(engines=engines), environment=variables)
    with pytest.raises(SettingInvalid, match="POINTSMAN_HASH_KEYS: no setting has this name"):
        await start(environment=variables)


@pytest.mark.parametrize("name", ["hash_key_file", "tokens_file"])
async def test_a_file_that_is_missing_is_named_with_its_setting(
    start: Starter, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "none"
    with pytest.raises(SettingInvalid, match=f"POINTSMAN_{name.upper()}: {path}: "):
        await start(**{name: path})


async def test_a_line_of_the_tokens_file_is_named_with_its_setting(
    start: Starter, tmp_path: Path
) -> None:
    path = tmp_path / "tokens"
    path.write_text("# who may call\ngateway not-a-hash\n")
    with pytest.raises(SettingInvalid, match=r"POINTSMAN_TOKENS_FILE: .*line 2"):
        await start(tokens_file=path)


ADDRESSES = ["listen", "admin_listen", "metrics_listen"]


@pytest.mark.parametrize("name", ADDRESSES)
async def test_an_address_that_is_taken_is_named_with_its_setting(
    start: Starter, taken: str, name: str
) -> None:
    why = f"POINTSMAN_{name.upper()}: cannot listen on {taken}: Address already in use"
    with pytest.raises(SettingInvalid, match=why):
        await start(**{name: taken})


@pytest.mark.parametrize("name", ADDRESSES)
async def test_a_host_that_nobody_knows_is_not_called_taken(start: Starter, name: str) -> None:
    words = "rpc,admin,metrics"
    with pytest.raises(SettingInvalid) as refused:
        await start(**{name: "nowhere.invalid:1"}, plaintext_beyond_loopback=words)
    with pytest.raises(socket.gaierror) as unknown:
        socket.getaddrinfo("nowhere.invalid", 1)
    assert str(refused.value) == (
        f"POINTSMAN_{name.upper()}: cannot listen on nowhere.invalid:1: {unknown.value.strerror}"
    )


async def test_a_folder_that_a_socket_lacks_is_not_called_taken(
    start: Starter, tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/none/rpc.sock"
    why = f"POINTSMAN_LISTEN: cannot listen on {address}: No such file or directory"
    with pytest.raises(SettingInvalid, match=why):
        await start(listen=address)


async def test_the_standard_address_of_metrics_is_named_by_its_variables(
    start: Starter, taken: str
) -> None:
    host, _, port = taken.partition(":")
    variables = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": host,
        "OTEL_EXPORTER_PROMETHEUS_PORT": port,
    }
    with pytest.raises(SettingInvalid, match=f"OTEL_EXPORTER_PROMETHEUS_PORT: .* {taken}: "):
        await start(metrics_listen="", environment=variables)


async def test_the_metrics_port_of_a_later_worker_is_named_with_its_setting(
    tmp_path: Path,
) -> None:
    first = free_port()
    with socket.create_server(("127.0.0.1", first + 1)):
        address = f"127.0.0.1:{first}"
        async with fleet(tmp_path, "--workers", "2", "--metrics-listen", address) as running:
            assert await running.ended() == 2
    told = f"cannot listen on 127.0.0.1:{first + 1} for worker 1: Address already in use"
    named = f"pointsman: POINTSMAN_METRICS_LISTEN: {told}"
    assert any(line.startswith(named) for line in running.said)


@pytest.mark.parametrize("text", ["", " "])
def test_a_variable_for_a_file_that_is_empty_is_unset(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    files = [name for name in Settings.model_fields if name.endswith("_file")]
    for name in files:
        monkeypatch.setenv(f"POINTSMAN_{name.upper()}", text)
    settings = Settings()
    assert [getattr(settings, name) for name in files] == [None] * 6


CUT = "POINTSMAN_MAX_CONNECTION_AGE_GRACE="


@pytest.mark.parametrize(("ages", "warned"), [
    ({}, False),
    ({"max_connection_age_grace": 10}, True),
    ({"max_connection_age_grace": 3_600}, True),
    ({"stream_max_age": 0}, True),
    ({"max_connection_age_grace": 10, "max_connection_age": 0}, False),
    ({"max_connection_age_grace": 0}, False),
    ({"max_connection_age_grace": 10, "stream_max_age": 5}, False),
])  # fmt: skip
async def test_ages_that_cut_streams_off_are_told_at_the_start(
    start: Starter, caplog: pytest.LogCaptureFixture, ages: dict[str, float], *, warned: bool
) -> None:
    await start(**ages)
    assert any(line.startswith(CUT) for line in caplog.messages) is warned


async def test_no_secret_that_was_read_reaches_the_log_whoever_writes_it(
    start: Starter, tmp_path: Path
) -> None:
    secrets = {name: f"s3cret-of-{name}" for name in ("hash-key", "morph", "variable", "redis")}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(f"{secret}\n")
    ambient = SystemResources(
        environment={"OTHER_KEY": secrets["variable"], "POINTSMAN_MORPH_ROUTER_ENABLED": "true"}
    )
    morph = {
        "url": f"http://127.0.0.1:{free_port()}",
        "key_file": str(tmp_path / "morph"),
        "key_env": "OTHER_KEY",
    }
    stream = io.StringIO()
    undo = configure_logging(fmt="json", stream=stream, secrets=ambient.secrets)
    try:
        with RealServer("redis", "--requirepass", secrets["redis"]) as redis:
            cache = {"url": redis.url, "password_file": str(tmp_path / "redis")}
            policy = policy_text(engines={"order": ["morph", "local"], "morph": morph}, cache=cache)
            peer = await start(policy=policy, ambient=ambient, hash_key_file=tmp_path / "hash-key")
            await peer.decide(request())
            for secret in secrets.values():
                logging.getLogger("another.package").warning("it was %s there", secret)
    finally:
        undo()
    lines: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [line["message"] for line in lines if line["logger"] == "another.package"]
    assert told == ["it was [redacted] there"] * len(secrets)


async def test_a_second_server_on_the_standard_addresses_says_what_to_do(
    taken: str, tmp_path: Path
) -> None:
    async with fleet(tmp_path, "--listen", taken) as running:
        assert await running.ended() == 2
    told = running.said[-1]
    why = f"pointsman: POINTSMAN_LISTEN: cannot listen on {taken}: Address already in use: "
    assert told.startswith(why)
    assert told.endswith("perhaps a Pointsman: stop it, or set another address")
