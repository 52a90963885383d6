"""Arguments of calls by the Python client."""

from __future__ import annotations

import socket
from typing import Any

ASK: dict[str, Any] = {
    "user_id": "u-1",
    "tier": "kilo-auto/frontier",
    "candidates": ["vendor/a", "vendor/b"],
    "static_pick": "vendor/a",
}
BODY = {
    "model": "kilo-auto/frontier",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image_url"}]}
    ],
    "tools": [{"type": "function"}],
    "provider": {"zdr": True},
}


def unused_target() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{closed.getsockname()[1]}"
