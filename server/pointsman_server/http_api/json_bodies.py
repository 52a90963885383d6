"""JSON requests and responses."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from pointsman_server.http_api.errors import Refused
from pointsman_server.http_api.limits import Limits


async def read_json(request: web.Request, *, limits: Limits) -> object:
    """Read the JSON value of a request's body. Raises `Refused` with 400, 408 or 415."""
    if request.content_type != "application/json":
        raise Refused(
            415,
            code="unsupported_media_type",
            message="send the body as 'Content-Type: application/json'",
        )
    try:
        async with asyncio.timeout(limits.body_seconds):
            return parse_json(await request.read())
    except TimeoutError:
        raise Refused(408, code="body_too_slow", message="the body did not arrive") from None


def parse_json(raw: bytes) -> object:
    """Return the JSON value of a body. Raises `Refused` with 400."""
    try:
        # Nesting beyond the interpreter's stack is a RecursionError.
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(400, code="invalid_json", message="the body is not JSON in UTF-8") from None


def json_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """`body` as compact JSON in UTF-8."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return web.Response(
        body=text.encode("utf-8", "replace"),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
