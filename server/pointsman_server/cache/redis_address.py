"""`cache.url` in its parts."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PORT = 6_379
_SENTINEL_PORT = 26_379


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where a Redis or Valkey server is, or who knows where it is."""

    hosts: tuple[tuple[str, int], ...]
    """One server, or the sentinels."""
    database: int = 0
    tls: bool = False
    service: str | None = None
    """The name that sentinels know the primary by; `None`: `hosts` is the server itself."""


def parse_address(url: str) -> RedisAddress:
    """Read `redis[s]://host[:port][/database]` or `redis+sentinel://host[:port],.../name[/database]`.

    Raises `ValueError`; the policy file's schema lets no other text through.
    """
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    if scheme == "redis+sentinel":
        service, _, database = path.partition("/")
        if not service:
            raise ValueError("a sentinel address needs the name of its primary")
        hosts = tuple(_host(text, _SENTINEL_PORT) for text in authority.split(","))
        return RedisAddress(hosts=hosts, database=int(database or 0), service=unquote(service))
    if scheme not in {"redis", "rediss"}:
        raise ValueError("no address of a Redis or Valkey server")
    return RedisAddress(
        hosts=(_host(authority, _PORT),), database=int(path or 0), tls=scheme == "rediss"
    )


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "127.0.0.1", parts.port or port
