"""The three kinds of bodies as one: messages with roles, system prompts, a message count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pointsman_client.bodies.preambles import ACKNOWLEDGED
from pointsman_client.bodies.text import first_words, instructions, text_of
from pointsman_client.errors import ErrorFacts, FieldViolation, UnusableBody
from pointsman_client.model import ApiKind

Body = Mapping[str, object]

SYSTEM_ROLES = frozenset({"system", "developer"})
_MODEL_ROLES = frozenset({"assistant", "model"})
_MODEL_ITEMS = ("_call", "reasoning")
_COMPACTIONS = frozenset({"compaction", "compaction_summary", "context_compaction"})
_MOST_SYSTEMS = 64
"""The number of system messages to search for one with text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The messages of a body by role. `count` is `None` if it is unknown."""

    messages: Sequence[Body]
    systems: Sequence[object] = ()
    """System prompts beside the messages; the first with any text counts, before those inside."""
    count: int | None = None
    loose: Sequence[object] = ()
    """Parts of the input without a role."""
    items: Sequence[object] = ()
    """Everything in order; empty: the messages."""

    def prompts(self) -> tuple[str | None, str | None]:
        """Return the user's first words and the latest; the latter is `None` if they are equal."""
        users = [each.get("content") for each in self.messages if each.get("role") == "user"]
        first = first_words(users)
        if first is None:
            return first_words([self.loose]), None
        latest = first_words(reversed(users))
        return first, latest if latest != first else None

    def system_prompt(self) -> str | None:
        """Return the start of the first system prompt that is not empty."""
        inside = (each.get("content") for each in self.messages if _is_system(each))
        for number, content in enumerate(chain(self.systems, inside)):
            if text := instructions(content):
                return text
            if number >= _MOST_SYSTEMS:
                break
        return None

    def context_reset(self) -> bool:
        """Whether the agent rebuilt the context and the model has not answered since."""
        for item in reversed(self.items or self.messages):
            if not isinstance(item, Mapping):
                continue
            if _holds_compaction(item):
                return True
            if _is_the_models(item):
                if text_of(item.get("content")).text.strip() in ACKNOWLEDGED:
                    continue
                return False
            if item.get("role") == "user" and text_of(item.get("content")).resets_context:
                return True
        return False


def read_conversation(body: Body, api_kind: ApiKind) -> Conversation:
    """Read the conversation of a body; `UnusableBody` if it has not the shape of its kind."""
    reader = _READERS.get(api_kind)
    if reader is None:
        raise ValueError(f"api_kind must say which API the body is of, not {api_kind.value}")
    return reader(body)


def unusable(field: str, description: str) -> UnusableBody:
    """Build the error for one bad field of a body."""
    path = f"body.{field}" if field else "body"
    facts = ErrorFacts(violations=(FieldViolation(path, description),))
    return UnusableBody("a body that cannot be read", facts=facts)


def _chat_completions(body: Body) -> Conversation:
    messages = _messages(body)
    return Conversation(messages=messages, count=len(messages))


def _messages_api(body: Body) -> Conversation:
    messages = _messages(body)
    return Conversation(messages=messages, systems=(body.get("system"),), count=len(messages))


def _responses(body: Body) -> Conversation:
    given = body.get("input")
    systems = (body.get("instructions"),)
    if isinstance(given, str):
        messages: Sequence[Body] = ({"role": "user", "content": given},)
        return Conversation(messages=messages, systems=systems, count=1)
    items = given if isinstance(given, list | tuple) else ()
    return Conversation(
        messages=list(_items_with_roles(items)),
        systems=systems,
        count=len(items) if isinstance(given, list | tuple) else None,
        loose=[item for item in items if _is_loose(item)],
        items=items,
    )


def _items_with_roles(items: Sequence[object]) -> Iterator[Body]:
    """The messages among the items of a Responses input; one without a role is the user's."""
    for item in items:
        if not isinstance(item, Mapping):
            continue
        if "role" in item:
            yield item
        elif item.get("type") == "message":
            yield {"role": "user", "content": item.get("content")}


def _messages(body: Body) -> Sequence[Body]:
    messages = body.get("messages")
    if not isinstance(messages, list | tuple):
        raise unusable("messages", "must be a list")
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise unusable(f"messages[{index}]", "must be an object")
        if not isinstance(message.get("role"), str):
            raise unusable(f"messages[{index}].role", "must be a string")
    return messages


def _is_system(message: Body) -> bool:
    role = message.get("role")
    return isinstance(role, str) and role in SYSTEM_ROLES


def _is_the_models(item: Mapping[object, object]) -> bool:
    role, kind = item.get("role"), item.get("type")
    if isinstance(role, str):
        return role in _MODEL_ROLES
    return isinstance(kind, str) and kind.endswith(_MODEL_ITEMS)


def _holds_compaction(item: Mapping[object, object]) -> bool:
    kind, content = item.get("type"), item.get("content")
    if isinstance(kind, str) and kind in _COMPACTIONS:
        return True
    return isinstance(content, list | tuple) and any(
        isinstance(part, Mapping) and part.get("type") == "compaction" for part in content
    )


def _is_loose(item: object) -> bool:
    """Whether an item is text that can only be the user's: not an answer, a call or its result."""
    if isinstance(item, str):
        return True
    if not isinstance(item, Mapping) or "role" in item:
        return False
    return item.get("type") in (None, "input_text", "text")  # a tuple: it may be unhashable


_READERS: Mapping[ApiKind, Callable[[Body], Conversation]] = {
    ApiKind.CHAT_COMPLETIONS: _chat_completions,
    ApiKind.RESPONSES: _responses,
    ApiKind.MESSAGES: _messages_api,
}
