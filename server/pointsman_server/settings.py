"""Deployment settings, from the environment: where to listen, which files to read.

Every variable starts with `POINTSMAN_`. What is decided is the policy file's matter; telemetry
follows the standard `OTEL_*` variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MOST_PORT = 65_535


class Settings(BaseSettings):
    """One field a variable: `listen` is `POINTSMAN_LISTEN`."""

    model_config = SettingsConfigDict(env_prefix="POINTSMAN_", extra="ignore", frozen=True)

    listen: str = "127.0.0.1:50051"
    """`host:port` of the gRPC server; port 0 takes any free one."""
    metrics_listen: str = "127.0.0.1:9464"
    """`host:port` of the Prometheus endpoint; empty: none."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that serve `listen` together. Worker i has its metrics on that port + i."""
    policy_file: Path | None = None
    """The policy file; the packaged default where unset."""
    reload_interval: float = Field(default=1.0, gt=0, le=3600)
    """Seconds between two looks at the policy file."""
    hash_key: SecretStr | None = None
    """Keys the hashes of ids. Replicas that share a cache share it."""
    hash_key_file: Path | None = None
    """The same from a file; wins over `hash_key`."""
    tokens_file: Path | None = None
    """Who may call: a line `name sha256-of-token` each. Unset: anybody who reaches the port."""
    max_in_flight: int = Field(default=10_000, ge=1)
    """Calls at once before further ones are refused with RESOURCE_EXHAUSTED."""
    stream_in_flight: int = Field(default=256, ge=1, le=100_000)
    """Decisions in flight on one stream before the service reads no further from it."""
    stream_max_age: float = Field(default=3_600.0, ge=0, le=86_400 * 30)
    """Seconds after which a stream ends, so that its client finds new servers; 0: never."""
    drain: float = Field(default=0.0, ge=0, le=300)
    """Seconds between saying NOT_SERVING and taking no new calls."""
    grace: float = Field(default=10.0, ge=0, le=300)
    """Seconds that calls get to end at a stop."""
    event_loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    """What the server runs on; `auto`: uvloop where it is installed."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the service's own log has lines."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """How they are written; `auto`: as text on a terminal, else as JSON."""

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if address:
            host_and_port(address)
        return address


def host_and_port(address: str) -> tuple[str, int]:
    """`host:port` in its parts; an IPv6 host stands in brackets. Raises `ValueError`."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > MOST_PORT:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
