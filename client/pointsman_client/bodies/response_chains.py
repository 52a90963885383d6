"""Conversations of the Responses API that are chained by `previous_response_id`.

Each turn names the response before it, and nothing names the conversation. A gateway that sees
responses records the session of each; later turns find that session again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from pointsman_client.bodies.ids import usable_id
from pointsman_client.model import ApiKind, NormalisedPrompt


class ResponseChains:
    """A bounded map from response ids to sessions; the least recently used are dropped.

    It belongs to one process: where several serve a conversation, route by the client instead, or
    let the client name its session. It holds ids and hashes, never a prompt.
    """

    def __init__(self, *, limit: int = 10_000) -> None:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        self._limit = limit
        self._sessions: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def session_after(self, body: Mapping[str, object]) -> str | None:
        """Return the session of the response that a body goes on from; `None`: it is not known."""
        previous = usable_id(body.get("previous_response_id"))
        session = self._sessions.get(previous) if previous is not None else None
        if previous is not None and session is not None:
            self._sessions.move_to_end(previous)
        return session

    def session_from(self, body: Mapping[str, object]) -> str | None:
        """Return a session that begins with a turn after an unknown response: of that name."""
        return usable_id(body.get("previous_response_id"))

    def first_session(self, body: Mapping[str, object], *, prompt: NormalisedPrompt) -> str | None:
        """Return a session for a first turn; `None` if no later turn can refer to its response.

        It is derived from the content, so that a request that is sent twice stays in one session.
        """
        if prompt.api_kind is not ApiKind.RESPONSES or body.get("store") is False:
            return None
        if not prompt.user_prompt_prefix:
            return None
        content = f"{prompt.system_prompt_prefix or ''}\0{prompt.user_prompt_prefix}"
        return f"chain-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    def record(self, response_id: object, *, session_id: str | None) -> None:
        """Record the session of a response; an invalid id is ignored."""
        response = usable_id(response_id)
        if response is None or session_id is None:
            return
        self._sessions[response] = session_id
        self._sessions.move_to_end(response)
        if len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)
