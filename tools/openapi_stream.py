"""The part of the OpenAPI document that describes a stream over Connect.

OpenAPI 3.1 has no words for a sequence of messages. `x-oai-itemSchema` is the registered name of
OpenAPI 3.2's `itemSchema` for documents of 3.1; the bodies themselves are binary.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

ANSWERS = ("400", "401", "503")
"""Statuses of refusals before the stream begins, beside 415. Every other error ends the stream."""
STREAM_END: Json = {
    "description": "The last message of a stream's answer, in JSON whatever the stream's content"
    " type. Without `error`, the stream ended well.",
    "type": "object",
    "properties": {
        "error": {"$ref": "#/components/schemas/Error"},
        "metadata": {
            "description": "Trailers, by name.",
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
_WIDTH = 95
_ENVELOPES = """\
Body and answer are sequences of messages, each in an envelope of Connect: one byte of flags, the
length of the message as four bytes, the most significant first, and the message. Flags are bits:

* 1: the message is compressed, as the header `connect-content-encoding` says.
* 2: the last envelope of the answer, with a StreamEnd. A client sends none and ends its body.

A request of 120 bytes of JSON begins with the bytes `00 00 00 00 78`. The status is 200 as soon
as the stream is open; an error after that is in the StreamEnd. The listener speaks HTTP/1.1: a
client that cannot read while it writes gets the answers after the end of its body. gRPC, on its
own address, has both directions at once."""


def operation(about: str, request: Json, response: Json, call: Mapping[str, Any]) -> Json:
    """Return the operation of a stream in both directions, from the parts of any other call."""
    end = {"$ref": "#/components/schemas/StreamEnd"}
    refused = {code: {"$ref": f"#/components/responses/Error{code}"} for code in ANSWERS}
    return {
        **call,
        "description": f"{textwrap.fill(about, _WIDTH)}\n\n{_ENVELOPES}",
        "requestBody": {
            "description": "Requests in envelopes.",
            "required": True,
            "content": _content(request),
        },
        "responses": {
            "200": {
                "description": "Answers in envelopes as they are ready, then a StreamEnd.",
                "content": _content({"anyOf": [response, end]}),
            },
            **refused,
            "415": {"description": "The content type is none of these."},
        },
    }


def _content(item: Json) -> Json:
    return {"application/connect+json": {"x-oai-itemSchema": item}, "application/connect+proto": {}}
