"""Texts for requests that no RPC answers, in place of the empty bodies of the RPC library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pointsman_server.transport.call import SERVICE

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NOT_FOUND = f"not found: RPCs are at /{SERVICE}/NAME, their list at /openapi.json\n".encode()
GRPC = b"unsupported media type: gRPC needs HTTP/2: send it to the gRPC address\n"
_TEXTS = {
    404: NOT_FOUND,
    405: b"method not allowed: POST a request in JSON; only DescribeRouting answers GET\n",
    415: b"unsupported media type: send application/json or application/proto\n",
}


def explained(send: Send) -> Send:
    """Give an answer without content type, which has no body either, a text by its status."""
    text = b""

    async def sent(message: MutableMapping[str, Any]) -> None:
        nonlocal text
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", ()))
            if b"content-type" not in headers:
                text = _TEXTS.get(message["status"], b"")
            if text:
                headers[b"content-type"] = b"text/plain; charset=utf-8"
                headers[b"content-length"] = str(len(text)).encode()
                message = {**message, "headers": list(headers.items())}
        elif text:
            message = {**message, "body": text}
        await send(message)

    return sent
