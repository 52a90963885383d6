"""`normalise`: from a request body to bounded prompt prefixes and the facts that routing needs."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman_client.bodies.conversation import Conversation, read_conversation, unusable
from pointsman_client.bodies.needs import Needs, reserved_tokens, survey
from pointsman_client.bodies.size import json_bytes
from pointsman_client.errors import UnusableBody
from pointsman_client.model import ApiKind, DataPolicy, NormalisedPrompt

_MODEL_CODE_POINTS = 256


def normalise(body: object, api_kind: ApiKind | str) -> NormalisedPrompt | None:
    """Return the fields that routing needs, or `None` if the body lacks the shape of its API.

    `body` is the parsed JSON of an OpenAI chat-completions, OpenAI responses or Anthropic
    messages request; it is not changed. `read_body` does the same and names a bad field.
    Raises `ValueError` for an `api_kind` that is none of the three.
    """
    try:
        return read_body(body, api_kind)
    except UnusableBody:
        return None


def read_body(body: object, api_kind: ApiKind | str) -> NormalisedPrompt:
    """Return the fields that routing needs; `UnusableBody` names a bad field."""
    kind = ApiKind(api_kind)
    if not isinstance(body, Mapping):
        raise unusable("", "must be a JSON object")
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise unusable("model", "must be a string that is not blank")
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise unusable("stream", "must be a boolean")
    return prompt_of(
        body,
        kind=kind,
        conversation=read_conversation(body, kind),
        needs=survey(body),
        requested_model=model,
    )


def prompt_of(
    body: Mapping[str, object],
    *,
    kind: ApiKind,
    conversation: Conversation,
    needs: Needs,
    requested_model: str,
) -> NormalisedPrompt:
    """Combine the parts of one body; `UnusableBody` for an invalid list of tools."""
    first, latest = conversation.prompts()
    return NormalisedPrompt(
        user_prompt_prefix=first,
        latest_user_prompt_prefix=latest,
        system_prompt_prefix=conversation.system_prompt(),
        api_kind=kind,
        message_count=conversation.count,
        has_tools=_has_tools(body),
        stream=body.get("stream") is True,
        requested_model=requested_model.strip()[:_MODEL_CODE_POINTS],
        required_inputs=frozenset(needs.inputs),
        prompt_tokens_estimate=needs.tokens(body),
        max_output_tokens=reserved_tokens(body),
        context_reset=conversation.context_reset(),
        body_bytes=json_bytes(body),
        keep_provider=needs.keep_provider,
        data_policy=_data_policy(body),
    )


def _has_tools(body: Mapping[str, object]) -> bool:
    tools = body.get("tools")
    if tools is not None and not isinstance(tools, list | tuple):
        raise unusable("tools", "must be a list")
    # `functions` is how chat completions named them first; gateways still see it.
    functions = body.get("functions")
    return bool(tools) or (isinstance(functions, list | tuple) and bool(functions))


def _data_policy(body: Mapping[str, object]) -> DataPolicy:
    """A body that opts out of data collection must not go to a third party's router either."""
    provider = body.get("provider")
    if isinstance(provider, Mapping) and (
        provider.get("data_collection") == "deny" or provider.get("zdr") is True
    ):
        return DataPolicy.THIRD_PARTY_DENIED
    return DataPolicy.UNSPECIFIED
