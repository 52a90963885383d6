"""Paths and bodies of requests: the API, the model, the same body with another model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_client import ApiKind

PATHS: Mapping[str, ApiKind] = {
    "/chat/completions": ApiKind.CHAT_COMPLETIONS,
    "/responses": ApiKind.RESPONSES,
    "/v1/messages": ApiKind.MESSAGES,
}
"""Path suffixes of the three APIs."""
_SIDES = ("/count_tokens", "/compact", "/input_tokens")
_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("(?:[^"\\]|\\.)*")', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a path. A side request (token counting, compaction) is no turn."""

    kind: ApiKind
    side: bool = False


def api_of(path: str) -> Api | None:
    """Read a path, without its query; `None` for another API."""
    bare = path.rstrip("/")
    side = next((end for end in _SIDES if bare.endswith(end)), None)
    if side is not None:
        bare = bare.removesuffix(side)
    kind = next((kind for end, kind in PATHS.items() if bare.endswith(end)), None)
    return None if kind is None else Api(kind, side is not None)


def document_of(raw: bytes) -> dict[str, Any] | None:
    """Parse a body; `None` if it is no JSON object."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def with_model(raw: bytes, document: Mapping[str, Any], model: str) -> bytes:
    """Return the body with another model, its other bytes unchanged where that is safe.

    Raises `ValueError` for a body that JSON cannot hold again.
    """
    # A match is a member of that name: inside of a string its quotes would be escaped.
    found = list(_MODEL.finditer(raw))
    if len(found) == 1 and json.loads(found[0][1]) == document["model"]:
        start, end = found[0].span(1)
        return raw[:start] + json.dumps(model).encode() + raw[end:]
    return json.dumps({**document, "model": model}, allow_nan=False).encode()
