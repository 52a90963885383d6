"""The three kinds of bodies as one: messages with roles, a system prompt, a count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pointsman_client.bodies.text import first_words, instructions
from pointsman_client.errors import ErrorFacts, FieldViolation, UnusableBody
from pointsman_client.model import ApiKind

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a body says, by whom. `count` is `None` where the body does not tell."""

    messages: Sequence[Body]
    systems: Sequence[object] = ()
    """Where the system prompt may stand; the first place with any text counts."""
    count: int | None = None
    loose: Sequence[object] = ()
    """Parts of the input that nobody's role is written on."""

    def prompts(self) -> tuple[str | None, str | None]:
        """The first words of the user and the latest, the latter `None` if they are the same."""
        users = [each.get("content") for each in self.messages if each.get("role") == "user"]
        first = first_words(users)
        if first is None:
            return first_words([self.loose]), None
        latest = first_words(reversed(users))
        return first, latest if latest != first else None

    def system_prompt(self) -> str | None:
        """The start of the system prompt."""
        return next((text for each in self.systems if (text := instructions(each))), None)


def read_conversation(body: Body, api_kind: ApiKind) -> Conversation:
    """The conversation of a body; `UnusableBody` if it has not the shape of its kind."""
    reader = _READERS.get(api_kind)
    if reader is None:
        raise ValueError(f"api_kind must say which API the body is of, not {api_kind.value}")
    return reader(body)


def unusable(field: str, description: str) -> UnusableBody:
    """The error for one bad field of a body."""
    path = f"body.{field}" if field else "body"
    facts = ErrorFacts(violations=(FieldViolation(path, description),))
    return UnusableBody("a body that cannot be read", facts=facts)


def _chat_completions(body: Body) -> Conversation:
    messages = _messages(body)
    return Conversation(
        messages=messages, systems=(_system_message(messages),), count=len(messages)
    )


def _messages_api(body: Body) -> Conversation:
    messages = _messages(body)
    return Conversation(
        messages=messages,
        systems=(body.get("system"), _system_message(messages)),
        count=len(messages),
    )


def _responses(body: Body) -> Conversation:
    given = body.get("input")
    if isinstance(given, str):
        messages: Sequence[Body] = ({"role": "user", "content": given},)
        return Conversation(messages=messages, systems=(body.get("instructions"),), count=1)
    items = given if isinstance(given, list | tuple) else ()
    messages = [item for item in items if isinstance(item, Mapping) and "role" in item]
    return Conversation(
        messages=messages,
        systems=(body.get("instructions"), _system_message(messages)),
        count=len(items) if isinstance(given, list | tuple) else None,
        loose=[item for item in items if _is_loose(item)],
    )


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


def _system_message(messages: Sequence[Body]) -> object:
    return next((each.get("content") for each in messages if each.get("role") == "system"), None)


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
