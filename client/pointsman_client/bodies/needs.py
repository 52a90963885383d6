"""What a body needs of a model: inputs besides text, room for its tokens, its own provider.

One walk over the body without recursion, linear in the number of its parts: texts are counted,
not read, and the payloads of media are neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_client.model import Modality

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English and code; the estimate only has to tell context windows apart."""

_MOST = 2**32 - 1

_MEDIA: Mapping[object, Modality] = {
    "image": Modality.IMAGE,
    "image_url": Modality.IMAGE,
    "input_image": Modality.IMAGE,
    "computer_screenshot": Modality.IMAGE,
    "image_generation_call": Modality.IMAGE,
    "document": Modality.FILE,
    "file": Modality.FILE,
    "input_file": Modality.FILE,
    "container_upload": Modality.FILE,
    "audio": Modality.AUDIO,
    "input_audio": Modality.AUDIO,
    "video": Modality.VIDEO,
    "video_url": Modality.VIDEO,
    "input_video": Modality.VIDEO,
}
# What is no text of the conversation: names of things, and state in a provider's own encoding.
_NO_TEXT = frozenset(
    {"type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status", "cache_control"}
    | {"signature", "data", "encrypted_content", "audio"}
)
_RESERVATIONS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CONTENTS = ("messages", "input", "system", "instructions")


@dataclass(slots=True)
class Needs:
    """What was found on the walk; `characters` counts the texts."""

    inputs: set[Modality] = field(default_factory=set)
    characters: int = 0
    keep_provider: bool = False

    def tokens(self, body: Mapping[str, object]) -> int | None:
        """The estimate with what the body reserves for the answer; `None` with nothing to count."""
        prompt = max(1, self.characters // CHARACTERS_PER_TOKEN) if self.characters else 0
        reserved = max(_positive(body.get(name)) for name in _RESERVATIONS)
        return min(prompt + reserved, _MOST) or None


def survey(body: Mapping[str, object]) -> Needs:
    """Walk over everything of the body that a model gets to read."""
    needs = Needs()
    stack: list[tuple[object, bool]] = [(body.get(name), False) for name in _CONTENTS]
    # Definitions and arguments of tools are JSON: there every key counts and nothing is a medium.
    stack += [(body.get("tools"), True), (body.get("functions"), True)]
    while stack:
        node, is_json = stack.pop()
        if isinstance(node, str):
            needs.characters += len(node)
        elif isinstance(node, list | tuple):
            stack.extend((each, is_json) for each in node)
        elif isinstance(node, Mapping):
            if is_json:
                needs.characters += sum(len(key) for key in node if isinstance(key, str))
                stack.extend((each, True) for each in node.values())
            else:
                stack.extend(_inside(node, needs=needs))
    return needs


def _inside(part: Mapping[str, object], *, needs: Needs) -> list[tuple[object, bool]]:
    """What is to be walked of one message or part, after noting what the part itself says."""
    kind = part.get("type")
    modality = _MEDIA.get(kind) if isinstance(kind, str) else None
    if modality is not None:
        needs.inputs.add(modality)
        return [(_text_of_document(part), False)]
    if _is_providers_own(part):
        needs.keep_provider = True
    is_call = isinstance(kind, str) and kind.endswith(("tool_use", "_call"))
    return [
        (value, is_call and key in {"input", "arguments"})
        for key, value in part.items()
        if key not in _NO_TEXT
    ]


def _is_providers_own(part: Mapping[str, object]) -> bool:
    """Thinking that is signed or encrypted: another provider rejects it or cannot read it."""
    kind = part.get("type")
    if kind == "redacted_thinking" or (kind == "thinking" and part.get("signature")):
        return True
    return bool(part.get("reasoning_details")) or (
        kind == "reasoning" and bool(part.get("encrypted_content"))
    )


def _text_of_document(part: Mapping[str, object]) -> object:
    """A document that is sent as plain text is long text, not a payload."""
    source = part.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        return source.get("data")
    return None


def _positive(number: object) -> int:
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
