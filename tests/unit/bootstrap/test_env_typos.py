"""Variables that nothing reads: misspelt ones stop a start, a platform's own never do."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from pointsman_server.bootstrap.env_typos import check_names
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.settings import Settings

ROOT = Path(__file__).parents[3]

MISSPELT = {
    "TOKEN_FILE": "TOKENS_FILE",
    "TOKENS": "TOKENS_FILE",
    "AUTH_TOKENS_FILE": "TOKENS_FILE",
    "TLS_CLIENT_CA": "TLS_CLIENT_CA_FILE",
    "TLS_CA": "TLS_CLIENT_CA_FILE",
    "TLS": "TLS_CERT_FILE",
    "CA_FILE": "TLS_CLIENT_CA_FILE",
    "TLS_CERTIFICATE_FILE": "TLS_CERT_FILE",
    "TLS_KEY": "TLS_KEY_FILE",
    "HASHKEY": "HASH_KEY",
    "POLICY": "POLICY_FILE",
    "MAX_INFLIGHT": "MAX_IN_FLIGHT",
    "LOGLEVEL": "LOG_LEVEL",
    "MORPH_ENABLED": "MORPH_ROUTER_ENABLED",
    "listener": "LISTEN",
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_setting_is_refused_and_the_one_that_is_meant_is_named(name: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        check_names({f"POINTSMAN_{name}": "secret-value"}, also=())
    assert refused.value.setting == f"POINTSMAN_{name}"
    meant = re.findall(r"POINTSMAN_\w+", refused.value.why)
    assert f"POINTSMAN_{MISSPELT[name]}" in meant
    assert "secret-value" not in str(refused.value)


# What the kubelet sets for services `pointsman`, `pointsman-redis` and `pointsman-metrics`.
SERVICE_LINKS = {
    "POINTSMAN_SERVICE_HOST": "10.96.0.7",
    "POINTSMAN_SERVICE_PORT": "50051",
    "POINTSMAN_SERVICE_PORT_GRPC": "50051",
    "POINTSMAN_PORT": "tcp://10.96.0.7:50051",
    "POINTSMAN_PORT_50051_TCP": "tcp://10.96.0.7:50051",
    "POINTSMAN_PORT_50051_TCP_ADDR": "10.96.0.7",
    "POINTSMAN_PORT_50051_TCP_PORT": "50051",
    "POINTSMAN_PORT_50051_TCP_PROTO": "tcp",
    "POINTSMAN_REDIS_SERVICE_HOST": "10.96.0.8",
    "POINTSMAN_REDIS_PORT": "tcp://10.96.0.8:6379",
    "POINTSMAN_METRICS_SERVICE_PORT_HTTP_METRICS": "9464",
    "POINTSMAN_METRICS_PORT_9464_TCP_ADDR": "10.96.0.9",
}
LEGITIMATE = SERVICE_LINKS | {
    "POINTSMAN_POLICY__MODE": "serve",
    "POINTSMAN_WORKER_LINE": "7",
    "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
    "POINTSMAN_DECISION_LOG_SAMPLE_RATE": "1",
    "POINTSMAN_ADDRESS": "127.0.0.1:50051",
    "POINTSMAN_EXT_PROC_LISTEN": "127.0.0.1:50151",
    "pointsman_listen": "127.0.0.1:50051",
    "POINTSMANLISTEN": "somebody else's",
    "POINTSMAN_HASH_KEYS": "as the policy file names it",
}


def test_what_is_legitimately_there_passes_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = {f"POINTSMAN_{name.upper()}": "x" for name in Settings.model_fields}
    check_names(settings | LEGITIMATE, also=["POINTSMAN_HASH_KEYS"])
    assert caplog.messages == []


def test_a_name_that_is_like_no_setting_is_told_and_not_what_it_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        check_names({"POINTSMAN_VENDOR_THING": "v4lue", "POINTSMAN_PORT": "50051"}, also=())
    assert caplog.messages == [
        "unknown environment variables: POINTSMAN_PORT, POINTSMAN_VENDOR_THING"
    ]


def test_no_variable_that_the_repository_names_stops_a_start() -> None:
    pages = [ROOT / "Makefile", ROOT / "Dockerfile", ROOT / "README.md"]
    for folder in ("deploy", "docs", "examples", "client", "integrations", "benchmarks"):
        pages += [p for p in (ROOT / folder).rglob("*") if p.suffix in _TEXT and p.is_file()]
    named = {
        name for page in pages for name in re.findall(r"\bPOINTSMAN_[A-Z0-9_]+\b", page.read_text())
    }
    assert len(named) > len(Settings.model_fields)
    # A part of several names, and what docs/operating.md and docs/upgrading.md warn of.
    named -= {"POINTSMAN_TLS_", "POINTSMAN_TOKEN_FILE", "POINTSMAN_MODE"}
    # An example gateway runs in its own container.
    named -= {f"POINTSMAN_{name}" for name in ("TLS", "CA_FILE", "CERT_FILE", "KEY_FILE")}
    check_names(dict.fromkeys(named, "x"), also=())


_TEXT = {".go", ".java", ".json", ".md", ".py", ".rs", ".sh", ".ts", ".yaml", ".yml"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("POINTSMAN_MODE", "POINTSMAN_POLICY__MODE"),
        ("pointsman_mode", "POINTSMAN_POLICY__MODE"),
        ("POINTSMAN_POLICY_MODE", "POINTSMAN_POLICY__MODE"),
        ("POINTSMAN_SERVE_PERCENT", "POINTSMAN_POLICY__SERVE_PERCENT"),
        ("POINTSMAN_CACHE_URL", "POINTSMAN_POLICY__CACHE__URL"),
        ("POINTSMAN_MORPH_TIMEOUT", "POINTSMAN_POLICY__ENGINES__MORPH__TIMEOUT"),
        ("POINTSMAN_ENGINES_MORPH_TIMEOUT", "POINTSMAN_POLICY__ENGINES__MORPH__TIMEOUT"),
    ],
)
def test_a_key_of_the_policy_file_is_named_with_its_variable(name: str, meant: str) -> None:
    with pytest.raises(SettingInvalid, match=f"did you mean {meant}\\?"):
        check_names({name: "serve"}, also=())
