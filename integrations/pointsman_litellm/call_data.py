"""From the arguments of LiteLLM's hooks to a body, headers and ids."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from pointsman_client import (
    ApiKind,
    Identity,
    IdentitySources,
    NormalisedPrompt,
    ResponseChains,
    UnusableBody,
    identify,
    read_body,
    read_generate_content,
    split_user_id,
    usable_id,
)

# LiteLLM's names of the calls behind the APIs.
KINDS: Mapping[str, ApiKind] = {
    "completion": ApiKind.CHAT_COMPLETIONS,
    "acompletion": ApiKind.CHAT_COMPLETIONS,
    "responses": ApiKind.RESPONSES,
    "aresponses": ApiKind.RESPONSES,
    "acompact_responses": ApiKind.RESPONSES,
    "anthropic_messages": ApiKind.MESSAGES,
    "agenerate_content": ApiKind.UNSPECIFIED,
    "agenerate_content_stream": ApiKind.UNSPECIFIED,
}
SIDE_CALLS = frozenset({"acompact_responses"})
"""Calls that are no turn of a conversation."""

_OWN = frozenset({"proxy_server_request", "secret_fields", "metadata", "litellm_metadata"})


def prompt_of(data: Mapping[str, Any], *, call_type: str) -> NormalisedPrompt | None:
    """Read the prompt; `None` where the data has not the shape of its API."""
    body = {name: value for name, value in data.items() if not _is_litellms(name)}
    try:
        kind = KINDS[call_type]
        if kind is ApiKind.UNSPECIFIED:
            config = body.get("generationConfig", body.get("config"))
            return read_generate_content(
                body | {"generationConfig": config},
                model=str(body.get("model")),
                stream=call_type.endswith("_stream"),
            )
        return read_body(body, kind)
    except UnusableBody:
        return None


def headers_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the client's headers, in lower case; LiteLLM has taken its credentials out."""
    request = data.get("proxy_server_request")
    headers = request.get("headers") if isinstance(request, Mapping) else None
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def identity_of(
    data: Mapping[str, Any],
    *,
    key: Any,
    headers: Mapping[str, str],
    sources: IdentitySources,
    chains: ResponseChains,
    prompt: NormalisedPrompt,
) -> Identity:
    """Find the caller: ids that LiteLLM has authenticated win over ids that the client claims.

    An end user that holds a session, as Claude Code sends one, is split. LiteLLM's session wins.
    """
    body = {name: value for name, value in data.items() if not _is_litellms(name)}
    body["metadata"] = _clients_metadata(data)
    body["previous_response_id"] = plain_response_id(data.get("previous_response_id"))
    found = identify(body, headers=headers, sources=sources, chains=chains, prompt=prompt)
    customer, session_in_customer = split_user_id(key.end_user_id)
    own_session = data.get("litellm_session_id")
    return Identity(
        user_id=customer or usable_id(key.user_id) or found.user_id,
        session_id=split_user_id(own_session)[1]
        or usable_id(own_session)
        or session_in_customer
        or found.session_id,
        agent_id=found.agent_id,
        organization_id=usable_id(key.org_id),
        session_source=found.session_source,
    )


def plain_response_id(value: object) -> str | None:
    """Return the provider's id of a response, of which LiteLLM makes another for every client.

    It is encoded with the deployment, and encrypted with the key's owner: the same response has
    several ids. Without LiteLLM's decoders the id stays unchanged.
    """
    found = usable_text(value)
    for module, decode in (
        ("litellm.proxy.hooks.responses_id_security", _decrypted),
        ("litellm.responses.utils", _decoded),
    ):
        loaded = sys.modules.get(module)
        if found is None or loaded is None:
            continue
        # A private part of LiteLLM: another version may not have it.
        with contextlib.suppress(Exception):
            found = usable_text(decode(loaded, found)) or found
    return found


def usable_text(value: object) -> str | None:
    """Return text that is not empty."""
    return value if isinstance(value, str) and value else None


def _decrypted(module: Any, response_id: str) -> object:
    return module.ResponsesIDSecurity()._decrypt_response_id(response_id)[0]  # noqa: SLF001  # above


def _decoded(module: Any, response_id: str) -> object:
    utils = module.ResponsesAPIRequestUtils
    return utils.decode_previous_response_id_to_original_previous_response_id(response_id)


def _clients_metadata(data: Mapping[str, Any]) -> object:
    """The metadata of the body as it was sent: LiteLLM adds its own to that of the data."""
    request = data.get("proxy_server_request")
    sent = request.get("body") if isinstance(request, Mapping) else None
    holder = sent if isinstance(sent, Mapping) else data
    return holder.get("metadata")


def _is_litellms(name: str) -> bool:
    return name in _OWN or name.startswith("litellm_")
