"""Keys: which conversation, which content, what a decision depended on.

Every key is an HMAC-SHA-256, so that nothing stored or logged can be traced back to an id by
enumeration, over an encoding in which no two different tuples share a form.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache

from pointsman_server.core.model import (
    ConversationSource,
    Prompt,
    RouteRequest,
    Stickiness,
)

KEY_BYTES = 16
SYSTEM_CODE_POINTS = 200
"""How much of the system prompt tells contents apart; engines never see it."""


def encode(parts: Iterable[str | bytes | int | None]) -> bytes:
    """An unambiguous form: each part as a kind, its length and its bytes.

    >>> encode(["a:b", "c"]) == encode(["a", "b:c"])
    False
    """
    out = bytearray()
    for part in parts:
        if part is None:
            out += b"n"
            continue
        if isinstance(part, str):
            kind, raw = b"s", part.encode("utf-8", "surrogatepass")
        elif isinstance(part, bytes):
            kind, raw = b"b", part
        else:
            kind, raw = b"i", str(part).encode()
        out += kind + len(raw).to_bytes(4, "big") + raw
    return bytes(out)


@lru_cache(maxsize=4096)
def fingerprint(
    *,
    policy: str,
    router_ids: tuple[str, ...],
    default: str,
    engines: tuple[str, ...],
    rules: bytes,
) -> bytes:
    """What a decision depended on besides the prompt; `router_ids` in any order.

    Cached: a service sees few distinct candidate sets.
    """
    parts = [policy, default, str(len(router_ids)), *sorted(router_ids), *engines]
    return hmac.digest(rules, encode(parts), "sha256")[:KEY_BYTES]


def message_bucket(message_count: int | None) -> int:
    """`floor(log2(count))`; -1 when absent or 0."""
    return (message_count or 0).bit_length() - 1


class Keys:
    """Makes keys with one secret; replicas that share a cache share it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def _digest(self, *parts: str | bytes | int | None) -> bytes:
        return hmac.digest(self._secret, encode(parts), "sha256")[:KEY_BYTES]

    def content(self, prompt: Prompt) -> bytes:
        """Identifies all that an engine could see, plus the start of the system prompt."""
        return self._digest(
            "content",
            prompt.api_kind,
            int(prompt.has_tools),
            (prompt.system or "")[:SYSTEM_CODE_POINTS],
            (prompt.first or "").strip(),
            (prompt.latest or "").strip(),
        )

    def conversation(self, request: RouteRequest) -> tuple[bytes, ConversationSource]:
        """Identifies the conversation, within its organisation and user."""
        caller = request.caller
        part: str | bytes
        if caller.session_id is not None:
            source, part = ConversationSource.SESSION, caller.session_id
        elif caller.machine_id is not None:
            source, part = ConversationSource.MACHINE, caller.machine_id
        else:
            source, part = ConversationSource.CONTENT, self.content(request.prompt)
        key = self._digest("conversation", caller.organization_id, caller.user_id, source, part)
        return key, source

    def decision(
        self, *, conversation: bytes, fingerprint: bytes, stickiness: Stickiness, prompt: Prompt
    ) -> bytes:
        """Identifies one decision in the cache."""
        if stickiness is Stickiness.EXACT:
            bucket = message_bucket(prompt.message_count)
            return self._digest("exact", conversation, fingerprint, self.content(prompt), bucket)
        return self._digest("conversation-decision", conversation, fingerprint)

    def incumbent(self, conversation: bytes) -> bytes:
        """Identifies the slot that holds the model a conversation is on."""
        return self._digest("incumbent", conversation)

    def tag(self, kind: str, raw: str | None) -> str | None:
        """A raw id as telemetry may show it: 16 hex digits of a keyed hash."""
        return None if raw is None else self._digest("tag", kind, raw)[:8].hex()
