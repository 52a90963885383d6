"""The `httpx.AsyncClient` of a remote engine, and one bounded exchange over it."""

from __future__ import annotations

import httpx

from pointsman_server.core.engine_rules import RemoteRules
from pointsman_server.engines.remote.transport import KeptAliveTransport
from pointsman_server.lib.host_port import UNIX

RESPONSE_BYTES = 64 * 1024
"""The longest response body that is read."""
_UNIX_HOST = "http://localhost"
"""The host in requests to a Unix domain socket."""


class _NoCookies(httpx.Cookies):
    """Looks for none: that takes a tenth of a call, mostly for parsing all headers as e-mail."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Ignore the cookies of a response."""


class _CookielessClient(httpx.AsyncClient):
    cookies = _NoCookies()  # type: ignore[override]  # nobody sets it


def build_client(rules: RemoteRules) -> httpx.AsyncClient:
    """Build the engine's client: keep-alive, bounded pool, TLS verified.

    No redirects, cookies, proxies or credentials of the environment; no time-outs, since the
    caller bounds the whole call. Build it inside a running loop; the owner closes it.
    """
    transport = KeptAliveTransport(
        connections=rules.max_connections,
        connect_retries=rules.connect_retries,
        unix_socket=rules.url.removeprefix(UNIX) if _is_unix(rules.url) else None,
    )
    return client_over(transport)


def client_over(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """Build the engine's client over another transport, such as `httpx.MockTransport`."""
    return _CookielessClient(
        transport=transport,
        follow_redirects=False,
        timeout=None,  # a call is bounded as a whole
        trust_env=False,
    )


def endpoint(rules: RemoteRules, path: str) -> httpx.URL:
    """The URL of `path` under the engine's base URL."""
    base = _UNIX_HOST if _is_unix(rules.url) else rules.url.rstrip("/")
    return httpx.URL(base + path)


async def post(
    client: httpx.AsyncClient, url: httpx.URL, *, headers: httpx.Headers, content: bytes
) -> tuple[int, bytes]:
    """Send and return status and body.

    The body is empty for a status other than success, and if it is longer than `RESPONSE_BYTES`:
    an empty body is no answer of any engine. Raises httpx's errors.
    """
    # As a stream: from `content` httpx would derive headers that the transport sets anyway.
    request = httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(content))
    response = await client.send(request, stream=True)
    try:
        if not response.is_success:
            return response.status_code, b""
        received = bytearray()
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > RESPONSE_BYTES:
                return response.status_code, b""
        return response.status_code, bytes(received)
    finally:
        await response.aclose()


def _is_unix(url: str) -> bool:
    return url.startswith(UNIX)
