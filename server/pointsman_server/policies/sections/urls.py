"""Addresses in the policy file. None may carry credentials: the file is no place for a secret."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from pointsman_server.lib.host_port import SOCKET_PATH_BYTES, UNIX, is_loopback
from pointsman_server.policies.sections.scalars import Scalar

_LONGEST = 2_048


def base_url() -> Scalar:
    """Describe `http(s)://host[:port][/path]`; a trailing slash is removed."""

    def checked(value: object) -> str:
        parts = split(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a URL such as `https://api.example.com`")
        if parts.query or parts.fragment:
            raise ValueError("must be a base URL, without query and fragment")
        return parts.geturl().rstrip("/")

    schema = {"type": "string", "format": "uri", "pattern": "^https?://"}
    return Scalar(checked, schema, "http or https")


def engine_url() -> Scalar:
    """Describe `base_url`, or `unix:/path` of a Unix domain socket."""
    http = base_url()

    def checked(value: object) -> object:
        if not isinstance(value, str) or not value.startswith(UNIX):
            return http.checked(value)
        path = value.removeprefix(UNIX)
        if not path.startswith("/") or not path.isprintable() or len(path) > SOCKET_PATH_BYTES:
            raise ValueError(
                f"must be `unix:` and the absolute path of a socket, at most {SOCKET_PATH_BYTES}"
                " characters"
            )
        return value

    schema = {"type": "string", "pattern": "^(https?://|unix:/)"}
    return Scalar(checked, schema, "http, https or unix")


def is_third_party(url: str) -> bool:
    """Whether requests to `url` may leave this machine."""
    return not url.startswith(UNIX) and is_abroad(urlsplit(url).hostname or "")


def is_plain_http_abroad(url: str) -> bool:
    """Tell whether `url` sends in the clear to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and is_abroad(parts.hostname or "")


def is_abroad(host: str) -> bool:
    """Tell whether `host` is, or may be, another machine."""
    return not is_loopback(host)


def split(value: object) -> SplitResult:
    """Split a URL. Raises ValueError where it is none, or where it holds credentials."""
    problem = "must be a URL"
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(problem)
    if not value.isprintable() or " " in value:
        raise ValueError(problem)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError(problem) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold credentials")
    return parts
