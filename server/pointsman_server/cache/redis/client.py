"""aiocache's Redis backend, set up for bytes, a bounded pool and secrets outside the URL."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

from pointsman_server.cache.redis_address import RedisAddress
from pointsman_server.cache.sentinels import SentinelPool
from pointsman_server.core.errors import SourceUnreadable

NAMESPACE = "pointsman:2"
"""Before every key of a value; the number is the format's version."""
CONNECTING = 1.0
"""Seconds that a connection may take; commands have a budget of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who this service is to the server. The secret is asked for at every new connection."""

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
        # Values are bytes: an encoding would make aiocache decode what it reads.
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
