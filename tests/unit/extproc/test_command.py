"""What `pointsman ext-proc` takes, and what it refuses to start with."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pointsman_client import ApiKind
from pointsman_extproc.arguments import parser_of, settings_from
from pointsman_extproc.command import ext_proc
from pointsman_extproc.listen import Listen, check_free
from pointsman_extproc.server import listening
from pointsman_extproc.settings import PATHS, Settings

TLS = Path(__file__).parents[1] / "client" / "tls"
TIER = ("--tier", "t=vendor/a")


def settings_of(*argv: str) -> Settings:
    return settings_from(parser_of().parse_args(argv))


def listen_of(*argv: str) -> Listen:
    return Listen.from_arguments(parser_of().parse_args([*TIER, *argv]))


def test_tiers_are_lower_case_each_with_its_static_pick_if_any() -> None:
    settings = settings_of("--tier", " Kilo-Auto/Frontier = vendor/A=1 ", "--tier", "plain")
    assert settings.tiers == {"kilo-auto/frontier": "vendor/A=1", "plain": None}
    assert settings.serves is False
    assert settings.paths == PATHS


def test_flags_are_settings() -> None:
    settings = settings_of(
        *TIER, "--serve", "--path", "messages=/ask", "--user-header", "X-U", "--max-body-bytes", "9"
    )
    assert settings.serves
    assert settings.paths == {"/ask": ApiKind.MESSAGES}
    assert settings.sources.user_headers == ("x-u",)
    assert settings.most_bytes == 9


def test_candidates_belong_to_one_tier_or_to_all() -> None:
    tiers = ("--tier", "A=v/a", "--tier", "b")
    given = ("--candidate", "v/a", "--candidate", "a=v/b", "--candidate", "v/a")
    assert settings_of(*tiers, *given).candidates == {"a": ("v/a", "v/b"), "b": ("v/a",)}
    assert settings_of(*tiers).candidates == {}


def test_ids_may_come_from_several_headers_or_no_field() -> None:
    settings = settings_of(
        *(*TIER, "--session-header", "X-One", "--session-header", "x-two"),
        *("--session-field", "none", "--user-field", "user"),
    )
    assert settings.sources.session_headers == ("x-one", "x-two")
    assert settings.sources.body_sessions == ()
    assert settings.sources.body_users == ("user",)
    assert "x-claude-code-session-id" in settings_of(*TIER).sources.session_headers


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--tier"),
        (["--tier", "=vendor/a"], "names no tier"),
        ([*TIER, "--path", "chat=/x"], "--path"),
        ([*TIER, "--path", "messages=x"], "--path"),
        ([*TIER, "--user-header", "authorization"], "holds no id of a user"),
        ([*TIER, "--candidate", "u=vendor/a"], "unknown tier"),
        ([*TIER, "--candidate", "t="], "names no model"),
        ([*TIER, "--session-field", "cookie"], "none of the fields"),
        (["--tier", "t=u", "--tier", "u"], "is a tier itself"),
        ([*TIER, "--timeout", "0"], "--timeout"),
        ([*TIER, "--max-body-bytes", "0"], "--max-body-bytes"),
        ([*TIER, "--metrics-listen", "9564"], "--metrics-listen"),
        ([*TIER, "--listen", "0.0.0.0:1"], "--plaintext-beyond-loopback"),
        ([*TIER, "--tls-key-file", str(TLS / "key.pem")], "--tls-cert-file"),
        ([*TIER, "--ca", "no-such-file"], "no-such-file"),
    ],
)
def test_bad_usage_is_named(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ext_proc(argv) == 2
    assert said in capsys.readouterr().err


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert ext_proc(["--help"]) == 0
    assert "--tier NAME[=MODEL]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/run/x", "unix-abstract:x"]
)
def test_bodies_may_come_in_plainly_on_this_machine(address: str) -> None:
    assert listen_of("--listen", address).credentials is None


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.test:1"])
def test_beyond_it_they_take_tls_or_an_express_word(address: str) -> None:
    with pytest.raises(ValueError, match="whole request bodies"):
        listen_of("--listen", address)
    assert listen_of("--listen", address, "--plaintext-beyond-loopback").credentials is None
    files = (
        "--tls-cert-file",
        str(TLS / "certificate.pem"),
        "--tls-key-file",
        str(TLS / "key.pem"),
    )
    assert listen_of("--listen", address, *files).credentials is not None


@pytest.mark.parametrize("taken", ["--listen", "--metrics-listen"])
def test_a_port_that_is_taken_is_said(taken: str, capsys: pytest.CaptureFixture[str]) -> None:
    free = {"--listen": "127.0.0.1:0", "--metrics-listen": "127.0.0.1:0"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        flags = free | {taken: address}
        status = ext_proc([*TIER, *(word for pair in flags.items() for word in pair)])
    assert status == 1
    said = f"cannot start: cannot listen on {address}: Address already in use\n"
    assert capsys.readouterr().err == f"pointsman ext-proc: {said}"


def test_a_socket_that_is_listened_on_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "socket"
    flags = ("--listen", f"unix:{path}", "--metrics-listen", "")
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as client:
        other.bind(str(path))
        other.listen(0)
        assert ext_proc([*TIER, *flags]) == 1
        # A second time: the backlog is full by then.
        assert ext_proc([*TIER, *flags]) == 1
        other.accept()[0].close()
        client.connect(str(path))
    said = f"cannot start: cannot listen on unix:{path}: another process listens on it\n"
    assert capsys.readouterr().err == f"pointsman ext-proc: {said}" * 2
    check_free(f"unix:{path}")  # its process has ended


async def test_a_socket_that_was_taken_during_the_start_is_left_alone(
    tmp_path: Path,
) -> None:
    listen = Listen(address=f"unix:{tmp_path}/socket")
    processor: Any = SimpleNamespace(process=None)
    async with listening(processor, listen=listen, most_bytes=1, grace=0):
        with pytest.raises(OSError, match="another process listens on it"):
            async with listening(processor, listen=listen, most_bytes=1, grace=0):
                pass


def test_an_address_of_a_name_that_the_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, absent = ("127.0.0.1", 0), ("192.0.2.1", 0)
    found: list[tuple[str, int]] = []

    def resolved(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    found[:] = [absent, here]
    check_free("name:0")
    found[:] = [absent]
    with pytest.raises(OSError, match="Cannot assign requested address"):
        check_free("name:0")
    with socket.create_server(here) as other:
        found[:] = [here, absent, other.getsockname()]
        with pytest.raises(OSError, match="Address already in use"):
            check_free("name:0")


def test_a_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    with pytest.raises(OSError, match=f"{path}: the file there is not a socket"):
        check_free(f"unix:{path}")
    with pytest.raises(OSError, match=r"on 192\.0\.2\.1:1: Cannot assign requested address"):
        check_free("192.0.2.1:1")
    for address in (f"unix:{tmp_path}/new", "unix-abstract:x", "127.0.0.1:0", "localhost:0"):
        check_free(address)
