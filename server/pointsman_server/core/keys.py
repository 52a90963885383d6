"""Keys of conversations, of content, and of the inputs of a decision.

Every key is a keyed BLAKE2b, so that nothing stored or logged can be traced back to an id by
enumeration, over an encoding in which no two different tuples share a form.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha256

from pointsman_server.core.model import (
    ConversationSource,
    Prompt,
    RouteRequest,
    Stickiness,
)

KEY_BYTES = 15
"""120 bits; CPython keeps a key of 16 bytes in 16 more than one of 15."""
SYSTEM_CODE_POINTS = 200
"""The length of the system prompt in the content key; engines never see it."""


def encode(parts: Iterable[str | bytes | int | None]) -> bytes:
    """An unambiguous form: each part as a kind, its length and its bytes.

    >>> encode(["a:b", "c"]) == encode(["a", "b:c"])
    False
    """
    return b"".join([_encoded(part) for part in parts])


def _encoded(part: str | bytes | int | None) -> bytes:
    if part is None:
        return b"n"
    if isinstance(part, str):
        raw = part.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(raw), raw)
    if isinstance(part, bytes):
        return b"b%d:%b" % (len(part), part)
    return b"i%d;" % part


def fingerprint(
    *,
    policy: str,
    router_ids: tuple[str, ...],
    default: str,
    engines: tuple[str, ...],
    rules: bytes,
) -> bytes:
    """The inputs of a decision besides the prompt; `router_ids` in any order."""
    parts = [policy, default, str(len(router_ids)), *sorted(router_ids), *engines]
    return sha256(encode([rules, *parts])).digest()[:KEY_BYTES]


def message_bucket(message_count: int | None) -> int:
    """`floor(log2(count))`; -1 when absent or 0."""
    return (message_count or 0).bit_length() - 1


def content_bytes(api_kind: str, *, has_tools: bool, system: str, first: str, latest: str) -> bytes:
    """All that an engine could see and the start of the system prompt, in an unambiguous form.

    Each text but the last is preceded by its length.
    """
    system, first = system[:SYSTEM_CODE_POINTS], first.strip()
    text = f"{api_kind} {has_tools:d} {len(system)} {len(first)} {system}{first}{latest.strip()}"
    return text.encode("utf-8", "surrogatepass")


def task_bytes(chosen: str) -> bytes:
    """The text that engines see, alone.

    Within a conversation an answer depends on nothing else: a compaction that replaces the first
    prompt, or a system prompt with another date, leaves the answer for a repeated task in place.
    """
    return b"task " + chosen.encode("utf-8", "surrogatepass")


def _content(prompt: Prompt) -> bytes:
    return content_bytes(
        prompt.api_kind,
        has_tools=prompt.has_tools,
        system=prompt.system or "",
        first=prompt.first or "",
        latest=prompt.latest or "",
    )


class Keys:
    """Makes keys with one secret; replicas that share a cache share it."""

    def __init__(self, secret: bytes) -> None:
        # BLAKE2b takes keys of up to 64 bytes; a secret may be longer.
        self._mac = blake2b(digest_size=KEY_BYTES, key=sha256(secret).digest())

    def _digest(self, *parts: str | bytes | int | None) -> bytes:
        return self._digest_of(encode(parts))

    def _digest_of(self, raw: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(raw)
        return mac.digest()

    def derived(self, purpose: str) -> bytes:
        """Derive a secret for another purpose, equal for equal hash keys."""
        return self._digest("derived", purpose)

    def content(self, prompt: Prompt) -> bytes:
        """Identifies all that an engine could see, plus the start of the system prompt."""
        return self._digest_of(b"content " + _content(prompt))

    def conversation(self, request: RouteRequest) -> tuple[bytes, ConversationSource]:
        """Identifies the conversation of a user, or of a sub-agent, within an organisation."""
        caller = request.caller
        part: str | bytes
        if caller.session_id is not None:
            source, part = ConversationSource.SESSION, caller.session_id
        elif caller.machine_id is not None:
            source, part = ConversationSource.MACHINE, caller.machine_id
        else:
            source, part = ConversationSource.CONTENT, self.content(request.prompt)
        key = self.conversation_of(
            caller.organization_id, caller.user_id, source, part, agent_id=caller.agent_id
        )
        return key, source

    def conversation_of(
        self,
        organization_id: str | None,
        user_id: str,
        source: ConversationSource,
        part: str | bytes,
        *,
        agent_id: str | None = None,
    ) -> bytes:
        """The same from its parts; `part` is the id or hash that `source` names."""
        # One text instead of `encode`: this runs for every call. Each part but the last is
        # preceded by its length, so no two tuples share a text either.
        within = "-" if organization_id is None else f"{len(organization_id)}:{organization_id}"
        last = part if isinstance(part, str) else part.hex()
        agent = "" if agent_id is None else f"@{len(agent_id)}:{agent_id} "
        text = f"conversation {within} {len(user_id)}:{user_id} {agent}{source}:{last}"
        mac = self._mac.copy()
        mac.update(text.encode("utf-8", "surrogatepass"))
        return mac.digest()

    def decision(
        self, *, conversation: bytes, fingerprint: bytes, stickiness: Stickiness, prompt: Prompt
    ) -> bytes:
        """Identifies one decision in the cache."""
        # Both are digests of one length already: together they are a key.
        within = conversation + fingerprint
        if stickiness is Stickiness.CONVERSATION:
            return within
        if stickiness is Stickiness.ADAPTIVE:
            return self.prompt_key(within, task_bytes(prompt.chosen() or ""), bucket=None)
        bucket = message_bucket(prompt.message_count)
        return self.prompt_key(within, _content(prompt), bucket=bucket)

    def prompt_key(self, within: bytes, content: bytes, *, bucket: int | None) -> bytes:
        """Identifies a decision for one content: `within` is conversation and fingerprint."""
        # One hash of all, since the fast path makes this key for every call.
        return self._digest_of(
            b"decision %b %d " % (within, -2 if bucket is None else bucket) + content
        )

    def tag(self, kind: str, raw: str | None) -> str | None:
        """A raw id as telemetry may show it: 16 hex digits of a keyed hash."""
        return None if raw is None else self._digest("tag", kind, raw)[:8].hex()
