"""User, session and sub-agent of a request, from the headers and bodies of real agents.

The sources are data: `IdentitySources` lists the headers and the members of a body in order of
preference, so that each can be switched off. docs/agents.md lists the agents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pointsman_client.bodies.ids import usable_id
from pointsman_client.bodies.response_chains import ResponseChains
from pointsman_client.model import NormalisedPrompt, names_of

USER_HEADERS = ("x-user-id",)
ORGANIZATION_HEADERS = ("x-organization-id",)
SESSION_HEADERS = (
    "x-session-id",  # OpenCode, Kilo CLI, gateways
    "x-claude-code-session-id",  # Claude Code
    "x-kilocode-taskid",  # Kilo Code
    "x-kilo-session",
    "session_id",  # Codex
    "session-id",  # Codex, newer
    "x-session-affinity",  # OpenCode
    "x-opencode-session",
    "x-client-session-id",  # Copilot CLI
    "x-roo-task-id",  # Roo Code
    "x-task-id",  # Cline
    "x-conversation-id",
    "conversation_id",
    "x-openwebui-chat-id",
)
"""Headers in which agents name the session."""
AGENT_HEADERS = (
    "x-claude-code-agent-id",  # Claude Code, in requests of its sub-agents
    "x-openai-subagent",  # Codex
    "x-opencode-subagent",
)
"""Headers in which agents name a sub-agent."""

_LONGEST_USER_ID = 4_096
_SPLIT = "_session_"
_ACCOUNT = "_account_"


class BodySession(StrEnum):
    """Members of a body that name the session."""

    METADATA_SESSION_ID = "metadata.session_id"
    METADATA_USER_ID = "metadata.user_id"
    SESSION_ID = "session_id"
    CONVERSATION = "conversation"
    PREVIOUS_RESPONSE_ID = "previous_response_id"
    PROMPT_CACHE_KEY = "prompt_cache_key"


class BodyUser(StrEnum):
    """Members of a body that name the user."""

    USER = "user"
    METADATA_USER_ID = "metadata.user_id"
    SAFETY_IDENTIFIER = "safety_identifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySources:
    """Sources of ids, in order of preference; an empty sequence switches one off."""

    user_headers: Sequence[str] = USER_HEADERS
    session_headers: Sequence[str] = SESSION_HEADERS
    organization_headers: Sequence[str] = ORGANIZATION_HEADERS
    agent_headers: Sequence[str] = AGENT_HEADERS
    body_users: Sequence[BodyUser] = tuple(BodyUser)
    body_sessions: Sequence[BodySession] = tuple(BodySession)

    def __post_init__(self) -> None:
        for name in ("user_headers", "session_headers", "organization_headers", "agent_headers"):
            named = names_of(name, names=getattr(self, name))
            object.__setattr__(self, name, tuple(each.strip().lower() for each in named))
        object.__setattr__(self, "body_users", tuple(map(BodyUser, self.body_users)))
        object.__setattr__(self, "body_sessions", tuple(map(BodySession, self.body_sessions)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The ids of one request, each `None` where there is none that the service takes."""

    user_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    organization_id: str | None = None
    session_source: str | None = None
    """The header or the member of the body that named the session."""


ALL_SOURCES = IdentitySources()


def identify(
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    sources: IdentitySources = ALL_SOURCES,
    chains: ResponseChains | None = None,
    prompt: NormalisedPrompt | None = None,
) -> Identity:
    """Find the ids of one request in its headers and its body; headers win.

    `headers` are compared without case. With `chains` the requests that `previous_response_id`
    links share a session; that needs `prompt`, the result of `normalise`.
    """
    fields = body if isinstance(body, Mapping) else {}
    said = {name.lower(): value for name, value in (headers or {}).items()}
    session, source = _session(fields, said=said, sources=sources, chains=chains, prompt=prompt)
    return Identity(
        user_id=_first(said, sources.user_headers)[0] or _user(fields, sources.body_users),
        session_id=session,
        agent_id=_first(said, sources.agent_headers)[0],
        organization_id=_first(said, sources.organization_headers)[0],
        session_source=source,
    )


def split_user_id(value: object) -> tuple[str | None, str | None]:
    """Split an id that holds a user and a session, as Claude Code sends one; `(user, session)`.

    `user_<hash>_account_<uuid>_session_<uuid>`, or an object with `account_uuid`, `device_id` and
    `session_id`, also as JSON text. Any other id is the user's.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _parsed(value)
    if isinstance(value, Mapping):
        user = usable_id(value.get("account_uuid")) or usable_id(value.get("device_id"))
        return user or usable_id(value.get("user_id")), usable_id(value.get("session_id"))
    if not isinstance(value, str) or len(value) > _LONGEST_USER_ID:
        return None, None
    user, mark, session = value.rpartition(_SPLIT)
    if mark and (user.startswith("user_") or _ACCOUNT in f"{user}_"):
        user = user.removesuffix("_").removesuffix(_ACCOUNT.rstrip("_"))
        return usable_id(user), usable_id(session)
    return usable_id(value), None


def _session(
    body: Mapping[str, object],
    *,
    said: Mapping[str, str],
    sources: IdentitySources,
    chains: ResponseChains | None,
    prompt: NormalisedPrompt | None,
) -> tuple[str | None, str | None]:
    found, header = _first(said, sources.session_headers)
    if found:
        return found, header
    for member in sources.body_sessions:
        if session := _named_session(body, member=member, chains=chains):
            return session, member.value
    chained = BodySession.PREVIOUS_RESPONSE_ID
    if chains is None or prompt is None or chained not in sources.body_sessions:
        return None, None
    # Another process may have seen the response: a name that all turns share comes first.
    session = chains.session_from(body) or chains.first_session(body, prompt=prompt)
    return session, chained.value if session else None


def _named_session(
    body: Mapping[str, object], *, member: BodySession, chains: ResponseChains | None
) -> str | None:
    value = _member(body, member)
    if member is BodySession.METADATA_USER_ID:
        return split_user_id(value)[1] or split_user_id(body.get("user"))[1]
    if member is BodySession.CONVERSATION and isinstance(value, Mapping):
        return usable_id(value.get("id"))
    if member is BodySession.PREVIOUS_RESPONSE_ID:
        # Every turn has another one: only a chain makes a session of them.
        return chains.session_after(body) if chains is not None else None
    return usable_id(value)


def _user(body: Mapping[str, object], members: Sequence[BodyUser]) -> str | None:
    users = (split_user_id(_member(body, member))[0] for member in members)
    return next((user for user in users if user), None)


def _member(body: Mapping[str, object], member: str) -> object:
    outer, _, inner = member.rpartition(".")
    holder = body.get(outer) if outer else body
    return holder.get(inner) if isinstance(holder, Mapping) else None


def _first(said: Mapping[str, str], names: Sequence[str]) -> tuple[str | None, str | None]:
    for name in names:
        if found := usable_id(said.get(name)):
            return found, name
    return None, None


def _parsed(text: str) -> object:
    if len(text) > _LONGEST_USER_ID:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
