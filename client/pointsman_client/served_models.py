"""The model that a gateway served last in each conversation.

A gateway needs it for side requests of a conversation, and to report the models that it served
without the service (`incumbent_model`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from pointsman_client.bodies.identity import Identity
from pointsman_client.model import NormalisedPrompt

MOST = 20_000
"""Conversations; the least recently used are forgotten."""


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """The identity of a conversation: its caller, its tier, and its session or its content."""

    user_id: str
    organization_id: str | None
    agent_id: str | None
    tier: str
    session: str


def conversation_key(
    identity: Identity, *, user_id: str, tier: str, prompt: NormalisedPrompt
) -> ConversationKey | None:
    """Return the key of a request's conversation; `None` if nothing identifies it."""
    session = identity.session_id
    if session is None:
        if not prompt.user_prompt_prefix:
            return None
        content = f"{prompt.system_prompt_prefix or ''}\0{prompt.user_prompt_prefix}"
        session = hashlib.sha256(content.encode()).hexdigest()
    return ConversationKey(user_id, identity.organization_id, identity.agent_id, tier, session)


@dataclass(frozen=True, slots=True)
class Served:
    """The model that a conversation got last."""

    model: str
    unknown_to_service: bool = False
    """The service had not answered: it does not know of this model."""


class ServedModels:
    """A bounded map; it holds ids, hashes and names of models, never a prompt."""

    def __init__(self, *, limit: int = MOST) -> None:
        self._limit = limit
        self._served: OrderedDict[ConversationKey, Served] = OrderedDict()

    def last(self, key: ConversationKey | None) -> Served | None:
        """Return the model that a conversation got last."""
        if key is None or key not in self._served:
            return None
        self._served.move_to_end(key)
        return self._served[key]

    def note(self, key: ConversationKey | None, served: Served) -> None:
        """Remember the model that a conversation got."""
        if key is None or not served.model:
            return
        self._served[key] = served
        self._served.move_to_end(key)
        if len(self._served) > self._limit:
            self._served.popitem(last=False)
