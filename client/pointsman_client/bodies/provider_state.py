"""State that only the provider that wrote it can read: signed, encrypted, or stored by reference.

Unknown items count as bound: moving a bound conversation fails the request, holding an unbound
one only costs a choice. Plain-text reasoning without a signature does not bind.
"""

from __future__ import annotations

from collections.abc import Mapping

# Of a request as a whole: the conversation or its files stand at the provider.
_REFERENCES = (
    "previous_response_id",
    "previous_interaction_id",
    "conversation",
    "container",
    "cachedContent",
    "cached_content",
)

# Members that hold such state wherever a message has them, as long as they hold anything.
_STATE = frozenset(
    {
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "encrypted_function_args",
        "encrypted_reasoning",
        "reasoning_encrypted",
        "reasoning_opaque",
        "signature",
        "thought_signature",
        "thought_signatures",
        "thoughtSignature",
        "thoughtSignatures",
        "file_id",
        "fileId",
        "file_uri",
        "fileUri",
        "container_id",
        "vector_store_ids",
    }
)
_STATE_STARTS = ("encrypted",)
_STATE_ENDS = ("_signature", "Signature")

# Kinds of parts and items that any provider's model can read as text, media, calls and results.
_PORTABLE = frozenset(
    {
        *("message", "text", "input_text", "output_text", "refusal", "summary_text"),
        *("reasoning_text", "reasoning.text", "reasoning.summary", "thinking"),
        *("image", "image_url", "input_image", "computer_screenshot", "document", "file"),
        *("input_file", "audio", "input_audio", "video", "video_url", "input_video", "media"),
        *("function", "function_call", "function_call_output", "custom_tool_call", "custom"),
        *("custom_tool_call_output", "tool_use", "tool_result", "tool_call", "tool-call"),
        *("tool-result", "local_shell_call", "local_shell_call_output", "shell_call"),
        *("shell_call_output", "apply_patch_call", "apply_patch_call_output", "computer_call"),
        *("computer_call_output", "search_result", "tool_reference", "url", "url_citation"),
        *("char_location", "page_location", "content_block_location"),
    }
)
_THOUGHT_IN_ID = "__thought__"
"""LiteLLM carries Gemini's thought signature inside of a tool call's id, behind this mark."""


def body_is_bound(body: Mapping[str, object]) -> bool:
    """Whether the request as a whole refers to a conversation or files at a provider."""
    if any(body.get(name) for name in _REFERENCES):
        return True
    prompt = body.get("prompt")
    return isinstance(prompt, Mapping) and bool(prompt.get("id"))


def part_is_bound(part: Mapping[str, object], *, is_part: bool) -> bool:
    """Whether a message, an item or a part of one is, or holds, state of one provider.

    `is_part`: it stands in a list of messages, items or parts, where `type` is its kind.
    """
    kind = part.get("type")
    if is_part and isinstance(kind, str) and kind:
        if kind == "reasoning":
            return bool(part.get("id")) or bool(part.get("encrypted_content"))
        if kind not in _PORTABLE:
            return True
    elif is_part and _is_reference(part):
        return True
    return any(_is_state(name, value) for name, value in part.items())


def tool_is_bound(tool: object) -> bool:
    """Whether a tool's definition names files or a container at a provider."""
    if not isinstance(tool, Mapping):
        return False
    container = tool.get("container")
    return bool(tool.get("vector_store_ids")) or (isinstance(container, str) and bool(container))


def _is_state(name: object, value: object) -> bool:
    if not value or not isinstance(name, str):
        return False
    if name in _STATE or name.startswith(_STATE_STARTS) or name.endswith(_STATE_ENDS):
        return True
    if name == "audio":  # an earlier spoken answer, by its id
        return isinstance(value, Mapping) and bool(value.get("id"))
    return name == "id" and isinstance(value, str) and _THOUGHT_IN_ID in value


def _is_reference(part: Mapping[str, object]) -> bool:
    """An item of the Responses API that is only an id refers to an item at the provider."""
    return bool(part.get("id")) and not (part.keys() - {"id", "type", "status"})
