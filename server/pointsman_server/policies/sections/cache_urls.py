"""`cache.url`: backend and address of the cache."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pointsman_server.lib.host_port import HIGHEST_PORT
from pointsman_server.policies.sections.scalars import Scalar
from pointsman_server.policies.sections.urls import is_abroad, split

_SCHEMES = ("memory", "redis", "rediss", "redis+sentinel")
_FORMS = {
    "redis": "must be written `redis://host:port/database`",
    "rediss": "must be written `rediss://host:port/database`",
    "redis+sentinel": "must be written `redis+sentinel://host:port,host:port/name/database`",
}
_DATABASE = re.compile(r"[0-9]{0,5}")
_SERVICE = re.compile(r"[A-Za-z0-9._-]{1,128}(/[0-9]{0,5})?")


def cache_url() -> Scalar:
    """Describe which backend keeps decisions."""
    *others, last = (f"`{scheme}://`" for scheme in _SCHEMES)
    allowed = f"{', '.join(others)} or {last}"

    def checked(value: object) -> str:
        scheme, authority, path = _parts(value)
        if scheme not in _SCHEMES:
            raise ValueError(f"must begin with {allowed}")
        if scheme != "memory" and not _is_address(scheme, authority, path):
            raise ValueError(_FORMS[scheme])
        return f"{scheme}://{authority}{path}"

    pattern = "|".join(re.escape(scheme) for scheme in _SCHEMES)
    return Scalar(checked, {"type": "string", "pattern": f"^({pattern})://"}, allowed)


def is_plain_redis_abroad(url: str) -> bool:
    """Whether entries go to another machine in plaintext."""
    scheme, authority, _ = _parts(url)
    return scheme in {"redis", "redis+sentinel"} and any(
        is_abroad(host) for host, _ in _hosts(authority)
    )


def _parts(value: object) -> tuple[str, str, str]:
    """Scheme, authority and path. Raises ValueError for an invalid URL or one with credentials."""
    if isinstance(value, str) and "," in value:
        # Several hosts are no URL to the standard library: each of them is looked at alone.
        scheme, mark, rest = value.partition("://")
        authority, slash, path = rest.partition("/")
        for host in authority.split(","):
            split(f"{scheme}{mark}{host}{slash}{path}")
        return scheme.lower(), authority, slash + path
    parts = split(value)
    rest = parts.geturl().partition("://")[2]
    return parts.scheme, parts.netloc, rest[len(parts.netloc) :]


def _is_address(scheme: str, authority: str, path: str) -> bool:
    try:
        hosts = list(_hosts(authority))
    except ValueError:
        return False
    if not all(host and port <= HIGHEST_PORT for host, port in hosts):
        return False
    if scheme == "redis+sentinel":
        return _SERVICE.fullmatch(path.removeprefix("/")) is not None
    return len(hosts) == 1 and _DATABASE.fullmatch(path.removeprefix("/")) is not None


def _hosts(authority: str) -> Iterator[tuple[str, int]]:
    for text in authority.split(","):
        parts = split(f"redis://{text}")
        yield parts.hostname or "", parts.port or 0
