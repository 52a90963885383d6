"""Bodies of Gemini's `generateContent`: no API kind of the contract, but agents send them.

The contents become messages of the chat kind, so that the same readers see them. The model stands
in the path of the request, not in the body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pointsman_client.bodies.conversation import Conversation, unusable
from pointsman_client.bodies.needs import survey
from pointsman_client.bodies.normalise import prompt_of
from pointsman_client.model import ApiKind, NormalisedPrompt

Body = Mapping[str, object]


def read_generate_content(body: object, *, model: str, stream: bool = False) -> NormalisedPrompt:
    """Return the fields that routing needs; `UnusableBody` names a bad field."""
    if not isinstance(body, Mapping):
        raise unusable("", "must be a JSON object")
    contents = body.get("contents")
    if isinstance(contents, str | Mapping):
        contents = [contents]
    if not isinstance(contents, list | tuple):
        raise unusable("contents", "must be a list")
    messages = [_message(each) for each in contents]
    system = body.get("systemInstruction", body.get("system_instruction"))
    as_chat = {
        **{name: value for name, value in body.items() if name not in ("contents", "messages")},
        "messages": messages,
        "system": _parts_of(system),
        "stream": stream,
    }
    return prompt_of(
        as_chat,
        kind=ApiKind.UNSPECIFIED,
        conversation=Conversation(
            messages=messages, systems=(as_chat["system"],), count=len(messages)
        ),
        needs=survey(as_chat),
        requested_model=model,
    )


def _message(content: object) -> Body:
    if not isinstance(content, Mapping):
        return {"role": "user", "content": content}
    role = content.get("role")
    name = {"model": "assistant", "function": "tool"}.get(role) if isinstance(role, str) else None
    return {"role": name or role or "user", "content": _parts_of(content)}


def _parts_of(content: object) -> object:
    if not isinstance(content, Mapping):
        return content
    parts = content.get("parts")
    if isinstance(parts, Mapping):
        parts = [parts]
    return list(_parts(parts)) if isinstance(parts, list | tuple) else None


def _parts(parts: list[object] | tuple[object, ...]) -> Iterator[object]:
    """Parts in the format of chat completions; unknown parts stay unchanged."""
    for part in parts:
        if not isinstance(part, Mapping):
            yield part
            continue
        inline = part.get("inlineData", part.get("inline_data"))
        stored = part.get("fileData", part.get("file_data"))
        if isinstance(inline, Mapping):
            yield {"type": _medium(inline), "source": {"data": inline.get("data")}}
        elif isinstance(stored, Mapping):
            yield {"type": _medium(stored), "source": stored}
        elif any(name in part for name in ("functionResponse", "function_response")):
            yield {"type": "tool_result", "content": part}
        else:
            yield part


def _medium(data: Mapping[object, object]) -> str:
    kind = data.get("mimeType", data.get("mime_type"))
    start = kind.partition("/")[0].lower() if isinstance(kind, str) else ""
    return start if start in ("image", "audio", "video") else "file"
