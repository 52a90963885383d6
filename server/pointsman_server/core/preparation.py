"""Preparation of a request before a cache or an engine is called."""

from __future__ import annotations

from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.eligible_engines import EligibleEngines
from pointsman_server.core.model import ConversationSource, EngineAnswer
from pointsman_server.core.value import value


@value()
class Lookup:
    """Bytes from the cache; `None`: no entry."""

    answer: bytes | None
    slot: bytes | None
    writes: int
    """The number of cache writes at that time."""


@value()
class Prepared:
    """The plan and the keys of one request, which the fast path hands on for a miss."""

    plan: Plan | None
    """Of all candidates: a provider fence is applied once the slot is known. `None`: no such tier.
    """
    engines: EligibleEngines
    conversation: bytes
    source: ConversationSource
    key: bytes | None
    """Identifies the decision in the cache; `None`: neither read nor written."""
    lookup: Lookup | None = None
    """Entries from the cache; `None`: not looked up, or not completely."""


@value()
class Recalled:
    """The memory of a conversation, and the cached answer for this request's key."""

    slot: ConversationSlot | None
    answer: EngineAnswer | None
