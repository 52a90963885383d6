"""Deployment settings, from the environment: where to listen, which files to read.

Every variable starts with `POINTSMAN_`. What is decided is the policy file's matter; telemetry
follows the standard `OTEL_*` variables.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pointsman_server.lib.host_port import parse_host_port

PREFIX = "POINTSMAN_"
UNIX = "unix:"
"""Starts the address of a Unix socket: `unix:/run/pointsman.sock`."""

Listener: TypeAlias = Literal["rpc", "admin", "metrics"]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=86_400)]


class Settings(BaseSettings):
    """One field a variable: `listen` is `POINTSMAN_LISTEN`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    listen: str = "127.0.0.1:50051"
    """`host:port` of the gRPC server, or `unix:PATH`; port 0 takes any free one."""
    admin_listen: str = "127.0.0.1:50052"
    """The same for reflection, channelz and whoever looks around by hand; empty: none."""
    metrics_listen: str = "127.0.0.1:9464"
    """`host:port` of the Prometheus endpoint; empty: none."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that serve `listen` together. Worker i adds i to the ports of `admin_listen`
    and `metrics_listen`, other than 0, and a Unix socket gets the suffix `.i`."""
    plaintext_beyond_loopback: Annotated[frozenset[Listener], NoDecode] = frozenset()
    """Which of `rpc,admin,metrics` may listen without TLS where other machines reach them."""
    tls_cert_file: Path | None = None
    """PEM: the certificate that both gRPC addresses show, with its chain. Read when it changes."""
    tls_key_file: Path | None = None
    """PEM: its private key, not encrypted."""
    tls_client_ca_file: Path | None = None
    """PEM: who vouches for callers, who then must show a certificate."""
    policy_file: Path | None = None
    """The policy file; the packaged default where unset."""
    reload_interval: float = Field(default=1.0, gt=0, le=3600)
    """Seconds between two looks at the policy file."""
    hash_key: SecretStr | None = None
    """Keys the hashes of ids, at least 16 random bytes. Replicas that share a cache share it."""
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
    max_connections: int = Field(default=1_000, ge=1)
    """Connections at once on each gRPC address; further ones are closed."""
    max_concurrent_streams: int = Field(default=256, ge=1, le=100_000)
    """Calls at once on one connection; its client holds back further ones."""
    max_open_calls: int = Field(default=10_000, ge=1)
    """Calls open at once on each gRPC address, also those whose request has not come; further
    ones are refused with RESOURCE_EXHAUSTED."""
    max_connection_age: Seconds = 300.0
    """Seconds after which a connection is asked to go, so that load spreads anew; 0: never."""
    max_connection_age_grace: Seconds = 3_660.0
    """Seconds that its calls and streams then get to end; 0: as long as they take."""
    max_connection_idle: Seconds = 0.0
    """Seconds without a call after which a connection is asked to go; 0: never."""
    keepalive: Seconds = 60.0
    """Seconds of silence after which a connection is probed, and closed if nobody is there."""
    drain: float = Field(default=0.0, ge=0, le=300)
    """Seconds between saying NOT_SERVING and taking no new calls."""
    grace: float = Field(default=10.0, ge=0, le=300)
    """Seconds that calls get to end at a stop."""
    event_loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    """What the server runs on; `auto`: uvloop where it is installed."""
    scheduling: Literal["normal", "batch"] = "normal"
    """How Linux schedules it; `batch`: a tenth more calls on processors that it has for itself."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on the service's own log has lines."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """How they are written; `auto`: as text on a terminal, else as JSON."""

    @property
    def cuts_streams(self) -> bool:
        """Whether connections are closed before the age at which their streams end."""
        grace = self.max_connection_age_grace
        if not (self.max_connection_age and grace):
            return False
        return not self.stream_max_age or grace <= self.stream_max_age

    @field_validator("plaintext_beyond_loopback", mode="before")
    @classmethod
    def _words(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        return frozenset(word.strip() for word in text.split(",") if word.strip())

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
        """As a compose file's `${NAME:-}` has it: an empty path would be the working directory."""
        return None if isinstance(path, str) and not path.strip() else path

    @field_validator("listen", "admin_listen", "metrics_listen")
    @classmethod
    def _is_address(cls, address: str, info: ValidationInfo) -> str:
        if address.startswith(UNIX) and info.field_name != "metrics_listen":
            return address
        if address or info.field_name == "listen":
            parse_host_port(address)
        return address


def stays_here(address: str) -> bool:
    """Whether only this machine reaches an address. Of names, only `localhost` is known to."""
    if address.startswith(UNIX):
        return True
    host, _ = parse_host_port(address)
    try:
        ip = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback
