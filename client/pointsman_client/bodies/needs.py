"""Requirements of a body: inputs besides text, context window, provider.

One walk over the body without recursion, linear in the number of its parts: long texts are
sampled, and the payloads of media are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_client.bodies.provider_state import body_is_bound, part_is_bound, tool_is_bound
from pointsman_client.bodies.token_estimate import TextMeter, media_tokens
from pointsman_client.model import Modality

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
_PAYLOADS = frozenset(
    {"data", "url", "image_url", "video_url", "file_data", "file_url", "result", "uri"}
)
# Members without text of the conversation: names, and state in a provider's encoding.
_NO_TEXT = frozenset(
    {"type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status", "cache_control"}
    | {"signature", "thought_signature", "thoughtSignature", "thought_signatures", "data", "audio"}
    | {"encrypted_content", "encrypted_index", "encrypted_stdout", "file_id", "item_id"}
)
_RESERVATIONS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
_CONTENTS = ("messages", "input", "system", "instructions")


@dataclass(slots=True)
class Needs:
    """Requirements found in a body."""

    inputs: set[Modality] = field(default_factory=set)
    text: TextMeter = field(default_factory=TextMeter)
    media: int = 0
    """Tokens of images, files, audio and video."""
    keep_provider: bool = False

    def tokens(self, body: Mapping[str, object]) -> int | None:
        """Return the estimate with the tokens reserved for the answer; `None` without any."""
        text = max(1, int(self.text.tokens)) if self.text.tokens else 0
        return min(text + self.media + (reserved_tokens(body) or 0), _MOST) or None


def survey(body: Mapping[str, object]) -> Needs:
    """Walk over everything of the body that a model gets to read."""
    needs = Needs(keep_provider=body_is_bound(body))
    stack: list[tuple[object, bool, bool]] = [(body.get(name), False, False) for name in _CONTENTS]
    # Definitions and arguments of tools are JSON: there every key counts and nothing is a medium.
    for name in ("tools", "functions"):
        tools = body.get(name)
        stack.append((tools, True, False))
        if isinstance(tools, list | tuple) and any(map(tool_is_bound, tools)):
            needs.keep_provider = True
    while stack:
        node, is_json, is_part = stack.pop()
        if isinstance(node, str):
            needs.text.add(node)
        elif isinstance(node, list | tuple):
            stack.extend((each, is_json, True) for each in node)
        elif isinstance(node, Mapping):
            if is_json:
                for key, value in node.items():
                    if isinstance(key, str):
                        needs.text.add(key)
                    stack.append((value, True, False))
            else:
                stack.extend(_inside(node, needs=needs, is_part=is_part))
    return needs


def reserved_tokens(body: Mapping[str, object]) -> int | None:
    """The token limit of the answer in the body; `None` if it is unknown."""
    config = body.get("generationConfig")
    named = [body.get(name) for name in _RESERVATIONS]
    if isinstance(config, Mapping):
        named.append(config.get("maxOutputTokens"))
    given = [each for each in named if isinstance(each, int) and not isinstance(each, bool)]
    return min(max(0, *given), _MOST) if given else None


def _inside(
    part: Mapping[str, object], *, needs: Needs, is_part: bool
) -> list[tuple[object, bool, bool]]:
    """Record one message or part, and return its nested parts to walk."""
    kind = part.get("type")
    if part_is_bound(part, is_part=is_part):
        needs.keep_provider = True
    modality = _MEDIA.get(kind) if isinstance(kind, str) else None
    if modality is not None:
        needs.inputs.add(modality)
        return _inside_medium(part, modality=modality, needs=needs)
    is_call = isinstance(kind, str) and kind.endswith(("tool_use", "_call"))
    return [
        (value, is_call and key in {"input", "arguments"}, False)
        for key, value in part.items()
        if key not in _NO_TEXT
    ]


def _inside_medium(
    part: Mapping[str, object], *, modality: Modality, needs: Needs
) -> list[tuple[object, bool, bool]]:
    """Count a medium; a document that is sent as text or as parts is walked instead."""
    nested = [each for each in part.values() if isinstance(each, Mapping)]
    if any(part_is_bound(each, is_part=False) for each in nested):
        needs.keep_provider = True
    source = part.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        return [(source.get("data"), False, False)]
    if isinstance(source, Mapping) and source.get("type") == "content":
        return [(source.get("content"), False, False)]
    needs.media += media_tokens(
        modality.value,
        payload=max((_payload(each) for each in (part, *nested)), default=0),
        low_detail=any(each.get("detail") == "low" for each in (part, *nested)),
    )
    return []


def _payload(part: Mapping[str, object]) -> int:
    """The size of a Base64 payload in bytes; 0 for a URL."""
    sizes = [
        len(value) * 3 // 4
        for key, value in part.items()
        if key in _PAYLOADS and isinstance(value, str) and not value.startswith(("http", "gs:"))
    ]
    return max(sizes, default=0)
