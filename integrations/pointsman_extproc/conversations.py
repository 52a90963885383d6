"""The model that each conversation was last given, for its side requests."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from pointsman_client import Identity, NormalisedPrompt

MOST = 20_000
"""Conversations of one processor; the least recently used are forgotten."""


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """What tells a conversation: who asks for which tier, in which session or with which start."""

    user_id: str
    organization_id: str | None
    agent_id: str | None
    tier: str
    session: str


def conversation_key(
    identity: Identity, *, user_id: str, tier: str, prompt: NormalisedPrompt
) -> ConversationKey | None:
    """Return the key of a request's conversation; `None` where nothing tells it."""
    session = identity.session_id
    if session is None:
        if not prompt.user_prompt_prefix:
            return None
        content = f"{prompt.system_prompt_prefix or ''}\0{prompt.user_prompt_prefix}"
        session = hashlib.sha256(content.encode()).hexdigest()
    return ConversationKey(user_id, identity.organization_id, identity.agent_id, tier, session)


@dataclass(frozen=True, slots=True)
class Served:
    """What a conversation was last given."""

    model: str
    unknown_to_service: bool = False
    """The service had not answered: it does not know of this model."""


class Conversations:
    """A bounded map; it holds ids, hashes and names of models, never a prompt."""

    def __init__(self, *, limit: int = MOST) -> None:
        self._limit = limit
        self._served: OrderedDict[ConversationKey, Served] = OrderedDict()

    def last(self, key: ConversationKey | None) -> Served | None:
        """Return what a conversation was last given."""
        if key is None or key not in self._served:
            return None
        self._served.move_to_end(key)
        return self._served[key]

    def note(self, key: ConversationKey | None, served: Served) -> None:
        """Remember what a conversation was given."""
        if key is None or not served.model:
            return
        self._served[key] = served
        self._served.move_to_end(key)
        if len(self._served) > self._limit:
            self._served.popitem(last=False)
