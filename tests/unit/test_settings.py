"""Deployment settings: addresses, and the words that let plaintext out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_server.settings import Settings, socket_path, stays_here
from pydantic import ValidationError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:50051",
        "127.8.8.8:0",
        "localhost:1",
        "LocalHost:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
        "unix:/run/pointsman.sock",
    ],
)
def test_only_this_machine_reaches_loopback_and_sockets_in_the_file_system(address):
    assert stays_here(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:50051",
        "[::]:1",
        "10.0.0.7:1",
        "128.0.0.1:1",
        "[::ffff:10.0.0.7]:1",
        "[fe80::1]:1",
        "localhost.example:1",
        "pointsman:1",
        "0:1",
        "*:1",
    ],
)
def test_other_machines_may_reach_everything_else(address):
    assert not stays_here(address)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", set()),
        ("rpc", {"rpc"}),
        (" rpc , metrics,", {"rpc", "metrics"}),
        ("rpc,admin,metrics", {"rpc", "admin", "metrics"}),
    ],
)
def test_the_words_are_told_apart_by_commas(monkeypatch, text, words):
    monkeypatch.setenv("POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK", text)
    assert Settings().plaintext_beyond_loopback == words


@pytest.mark.parametrize("text", ["true", "all", "RPC", "rpc metrics"])
def test_a_word_that_names_no_address_is_refused(monkeypatch, text):
    monkeypatch.setenv("POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK", text)
    with pytest.raises(ValidationError, match="'rpc', 'admin', 'http' or 'metrics'"):
        Settings()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("listen", ""),
        ("listen", "50051"),
        ("admin_listen", ":50052"),
        ("metrics_listen", "unix:/run/metrics.sock"),
        ("metrics_listen", "localhost:65536"),
    ],
)
def test_what_is_no_address_is_refused(name, address):
    with pytest.raises(ValidationError, match="HOST:PORT"):
        Settings(**{name: address})


def test_by_default_nothing_is_reached_from_outside():
    defaults = Settings()
    for address in (
        defaults.listen,
        defaults.admin_listen,
        defaults.http_listen,
        defaults.metrics_listen,
    ):
        assert stays_here(address)


def test_every_setting_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert {n for n in Settings.model_fields if f"`POINTSMAN_{n.upper()}`" not in page} == set()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0.25", 0.25),
        ("5s", 5.0),
        ("250ms", 0.25),
        ("1m", 60.0),
        ("1 m", 60.0),
        (" 5S ", 5.0),
        ("1e1", 10.0),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "drain",
        "grace",
        "reload_interval",
        "stream_max_age",
        "max_connection_age",
        "max_connection_age_grace",
        "max_connection_idle",
        "keepalive",
    ],
)
def test_durations_take_units(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, seconds: float
) -> None:
    monkeypatch.setenv(f"POINTSMAN_{name.upper()}", text)
    assert getattr(Settings(), name) == seconds


@pytest.mark.parametrize("text", ["5q", "s", "-1s", "1h30m", "nan", "inf", "five", "5 5", "9d" * 9])
def test_another_text_is_no_duration(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("POINTSMAN_DRAIN", text)
    with pytest.raises(ValidationError, match="drain"):
        Settings()


@pytest.mark.parametrize("text", ["INFO", "Info", " info ", "info"])
def test_words_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("POINTSMAN_LOG_LEVEL", text)
    monkeypatch.setenv("POINTSMAN_LOG_FORMAT", "JSON")
    monkeypatch.setenv("POINTSMAN_EVENT_LOOP", "Asyncio")
    monkeypatch.setenv("POINTSMAN_SCHEDULING", "BATCH")
    found = Settings()
    assert (found.log_level, found.log_format) == ("info", "json")
    assert (found.event_loop, found.scheduling) == ("asyncio", "batch")


@pytest.mark.parametrize("name", ["listen", "admin_listen"])
@pytest.mark.parametrize(
    "address",
    ["unix:", "unix: ", "unix:/", "unix://", "unix:///", "unix://relative", "unix:/run/",
     f"unix:/{'x' * 107}", "unix:/run/\0x"],
)  # fmt: skip
def test_an_address_that_names_no_socket_is_refused(name, address):
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: address})


@pytest.mark.parametrize(
    ("address", "path"),
    [("unix:/run/a", "/run/a"), ("unix:///run/a", "/run/a"), ("unix:a.sock", "a.sock")],
)
def test_a_socket_is_named_by_its_path(address, path):
    assert socket_path(Settings(listen=address).listen) == path
