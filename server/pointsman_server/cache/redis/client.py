"""aiocache's Redis backend: `cache.url` -> a bounded pool of connections to the primary."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

from pointsman_server.core.errors import SourceUnreadable

NAMESPACE = "pointsman:3"
"""Before every key of a value; the number is the format's version."""
CONNECTING = 1.0
"""Seconds that a connection may take; commands have a separate time-out."""
_PORT = 6_379
_SENTINEL_PORT = 26_379


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """The address of a Redis or Valkey server, or of its sentinels."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password. The secret is read at every new connection."""

    username: str | None = None
    secret: Callable[[], str] | None = None
    """Gives the password. Raises `SourceUnreadable`."""


def build_backend(
    address: RedisAddress, *, connections: int, login: Login, ca_file: str | None = None
) -> RedisCache:
    """A backend that has not connected yet."""
    host, port = address.hosts[0]
    # RESP2: nothing here needs more, and it saves a greeting a connection.
    pool: dict[str, Any] = {"protocol": 2, "socket_keepalive": True, "socket_timeout": None}
    if login.secret is not None:
        pool["credential_provider"] = _Credentials(login.username, login.secret)
    if address.tls:
        # The system's certificate authorities hold besides the file's.
        pool |= {
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_ca_certs": ca_file,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
    return RedisCache(
        # Values are bytes: an encoding would make aiocache decode them.
        serializer=NullSerializer(encoding=None),
        namespace=NAMESPACE,
        # The caller bounds its commands; aiocache's own bound costs a task for each.
        timeout=None,
        endpoint=host,
        port=port,
        db=address.database,
        ssl=address.tls,
        pool_max_size=connections,
        create_connection_timeout=CONNECTING,
        connection_pool_class=(
            partial(SentinelPool, address.service, address.hosts, patience=CONNECTING)
            if address.service is not None
            else None
        ),
        connection_pool_kwargs=pool,
    )


class _Credentials(CredentialProvider):
    """A rotated password holds from the next connection on, without a restart."""

    def __init__(self, username: str | None, secret: Callable[[], str]) -> None:
        self._username = username
        self._secret = secret

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """The user, if one is named, and the password."""
        try:
            password = self._secret()
        except SourceUnreadable as error:
            # Any other kind would leave redis-py with a connection that never logs in.
            raise AuthenticationError(str(error)) from None
        return (password,) if self._username is None else (self._username, password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same; reading a small file holds nobody up."""
        return self.get_credentials()


class SentinelPool(SentinelConnectionPool):
    """A connection pool as aiocache builds one, by `sentinels` (hosts and ports)."""

    def __init__(
        self,
        service: str,
        sentinels: Sequence[tuple[str, int]],
        *,
        patience: float,
        **connection: Any,
    ) -> None:
        asked = {
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        manager = _OneAtATime(list(sentinels), sentinel_kwargs=asked)
        super().__init__(service, manager, **connection)  # type: ignore[no-untyped-call]

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Leave idle sentinels too: the next connection looks for them by name."""
        await super().disconnect(inuse_connections)
        await self.sentinel_manager.leave()


class _OneAtATime(Sentinel):
    """redis-py puts the sentinel that answered first in its list, which two at once would break."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._lock = asyncio.Lock()

    async def discover_master(self, service_name: str) -> Any:
        async with self._lock:
            return await super().discover_master(service_name)

    async def leave(self) -> None:
        """Close the connections to the sentinels."""
        async with self._lock:
            for sentinel in self.sentinels:
                await sentinel.connection_pool.disconnect()
