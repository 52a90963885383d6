"""Deployment settings from the environment: addresses, files, limits.

Every variable starts with `POINTSMAN_`. The policy file defines the routing; telemetry follows the
standard `OTEL_*` variables.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pointsman_server.lib.durations import seconds_of_text
from pointsman_server.lib.host_port import SOCKET_PATH_BYTES, UNIX, is_loopback, parse_host_port

PREFIX = "POINTSMAN_"
Listener: TypeAlias = Literal["rpc", "admin", "http", "metrics"]
Duration: TypeAlias = Annotated[float, BeforeValidator(seconds_of_text)]
"""Seconds as a number, or text with a unit: `250ms`, `5s`, `1m`."""
Seconds: TypeAlias = Annotated[Duration, Field(ge=0, le=86_400)]


class Settings(BaseSettings):
    """One field a variable: `listen` is `POINTSMAN_LISTEN`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    listen: str = "127.0.0.1:50051"
    """`host:port` of the gRPC server, or `unix:PATH`; port 0 takes any free one."""
    admin_listen: str = "127.0.0.1:50052"
    """The admin address, with reflection and channelz; empty: none."""
    http_listen: str = "127.0.0.1:50053"
    """`host:port` of the HTTP listener: the RPCs over Connect and gRPC-Web, with JSON or protobuf;
    empty: none."""
    http_allowed_origins: Annotated[frozenset[str], NoDecode] = frozenset()
    """Origins of browser pages that may call the HTTP listener, such as `https://app.example.com`,
    separated by commas; `*` allows any."""
    metrics_listen: str = "127.0.0.1:9464"
    """`host:port` of the Prometheus endpoint; empty: none."""
    workers: int = Field(default=1, ge=1, le=256)
    """The number of processes that serve `listen`. Worker i adds i to the ports of `admin_listen`
    and `metrics_listen`, other than 0, and a Unix socket gets the suffix `.i`; `http_listen` is
    shared."""
    plaintext_beyond_loopback: Annotated[frozenset[Listener], NoDecode] = frozenset()
    """Listeners of `rpc,admin,http,metrics` that may use non-loopback addresses without TLS."""
    tls_cert_file: Path | None = None
    """PEM: the certificate of both gRPC addresses, with its chain. Reloaded when it changes."""
    tls_key_file: Path | None = None
    """PEM: its private key, not encrypted."""
    tls_client_ca_file: Path | None = None
    """PEM: the CA of client certificates, which are then required."""
    policy_file: Path | None = None
    """The policy file; unset: the built-in one."""
    reload_interval: Duration = Field(default=1.0, gt=0, le=3600)
    """Seconds between two checks of the policy file."""
    hash_key: SecretStr | None = None
    """The key of the hashes of ids, at least 16 random bytes. Replicas sharing a cache share it."""
    hash_key_file: Path | None = None
    """A file with the key; overrides `hash_key`."""
    tokens_file: Path | None = None
    """Tokens of callers: one line `name sha256-of-token` each. Unset: no token is required."""
    max_in_flight: int = Field(default=10_000, ge=1)
    """Concurrent calls; further ones are refused with RESOURCE_EXHAUSTED."""
    stream_in_flight: int = Field(default=256, ge=1, le=100_000)
    """Decisions in flight on one stream before the service stops reading from it."""
    stream_max_age: Duration = Field(default=3_600.0, ge=0, le=86_400 * 30)
    """Seconds after which a stream ends, so that its client discovers new servers; 0: never."""
    max_connections: int = Field(default=1_000, ge=1)
    """Concurrent connections on each gRPC address; further ones are closed."""
    max_concurrent_streams: int = Field(default=256, ge=1, le=100_000)
    """Concurrent calls on one connection; the client queues further ones."""
    max_open_calls: int = Field(default=10_000, ge=1)
    """Open calls on each gRPC address, including those whose request has not arrived; further
    ones are refused with RESOURCE_EXHAUSTED."""
    max_connection_age: Seconds = 300.0
    """Seconds after which a connection is closed gracefully, to rebalance load; 0: never."""
    max_connection_age_grace: Seconds = 3_660.0
    """Seconds that its calls and streams then have to end; 0: unlimited."""
    max_connection_idle: Seconds = 0.0
    """Seconds without a call until a connection is closed gracefully; 0: never."""
    keepalive: Seconds = 60.0
    """Seconds of silence until a connection is probed, and closed without an answer."""
    drain: Duration = Field(default=0.0, ge=0, le=300)
    """Seconds between reporting NOT_SERVING and refusing new calls."""
    grace: Duration = Field(default=10.0, ge=0, le=300)
    """Seconds for calls in flight to end at shutdown."""
    event_loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    """The event loop; `auto`: uvloop if it is installed."""
    scheduling: Literal["normal", "batch"] = "normal"
    """The Linux scheduling policy; `batch`: 10 % more calls on dedicated cores."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level in the service's log."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """The format of the service's log; `auto`: text on a terminal, else JSON."""

    @property
    def cuts_streams(self) -> bool:
        """Whether connections are closed before the age at which their streams end."""
        grace = self.max_connection_age_grace
        if not (self.max_connection_age and grace):
            return False
        return not self.stream_max_age or grace <= self.stream_max_age

    @field_validator("plaintext_beyond_loopback", "http_allowed_origins", mode="before")
    @classmethod
    def _words(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        return frozenset(word.strip() for word in text.split(",") if word.strip())

    @field_validator("event_loop", "scheduling", "log_level", "log_format", mode="before")
    @classmethod
    def _in_any_case(cls, word: object) -> object:
        return word.strip().lower() if isinstance(word, str) else word

    @field_validator(
        "tls_cert_file",
        "tls_key_file",
        "tls_client_ca_file",
        "policy_file",
        "hash_key_file",
        "tokens_file",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, path: object) -> object:
        """Treat an empty path, such as a compose file's `${NAME:-}`, as unset, not as `.`."""
        return None if isinstance(path, str) and not path.strip() else path

    @field_validator("listen", "admin_listen", "http_listen", "metrics_listen")
    @classmethod
    def _is_address(cls, address: str, info: ValidationInfo) -> str:
        if address.startswith(UNIX) and info.field_name not in ("metrics_listen", "http_listen"):
            socket_path(address)
            return address
        if address or info.field_name == "listen":
            parse_host_port(address)
        return address


def socket_path(address: str) -> str:
    """Return the path in `unix:PATH` or `unix:///PATH`. Raises `ValueError`."""
    path = address.removeprefix(UNIX)
    if path.startswith("//"):
        path = path.removeprefix("//")
        if not path.startswith("/"):
            raise ValueError(f"{address!r}: after unix:// comes an absolute path")
    if not path.strip("/").strip() or path.endswith("/") or "\0" in path:
        raise ValueError(f"{address!r} names no socket: write unix:PATH")
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise ValueError(f"{address!r}: a socket's path has at most {SOCKET_PATH_BYTES} bytes")
    return path


def stays_here(address: str) -> bool:
    """Whether an address is loopback. Of names, only `localhost` is."""
    return address.startswith(UNIX) or is_loopback(parse_host_port(address)[0])
