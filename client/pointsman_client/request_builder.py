"""From the friendly arguments of `route`, `decide` and `mirror` to one `RouteRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from pointsman_client.bodies.normalise import read_body
from pointsman_client.model import (
    ApiKind,
    Constraints,
    DataPolicy,
    NormalisedPrompt,
    RouteRequest,
)

Promptlike = str | NormalisedPrompt | Mapping[str, object] | RouteRequest
"""A prompt as text, the result of `normalise`, a complete request body (then `api_kind` is
needed), or a finished request (then fields beside it replace its own)."""


class RequestFields(TypedDict, total=False):
    """The keyword arguments of `route`, `decide` and `mirror`; `RouteRequest` explains each.

    `user_id` is needed unless the prompt is a `RouteRequest`.
    """

    user_id: str
    session_id: str | None
    machine_id: str | None
    client_request_id: str | None
    mode: str | None
    user_agent: str | None
    organization_id: str | None
    agent_id: str | None
    tier: str | None
    candidates: Sequence[str]
    static_pick: str | None
    incumbent_model: str | None
    max_output_tokens: int | None
    context_reset: bool | None
    constraints: Constraints | None
    data_policy: DataPolicy
    requested_model: str | None
    body_bytes: int
    classify: bool
    dry_run: bool


def build_request(
    prompt: Promptlike, *, api_kind: ApiKind | str | None, fields: RequestFields
) -> RouteRequest:
    """The request. `TypeError` for a wrong type, `UnusableBody` for a body without its shape."""
    if isinstance(prompt, RouteRequest):
        if api_kind is not None:
            raise TypeError("api_kind belongs to the prompt of a RouteRequest")
        return replace(prompt, **fields)
    return RouteRequest(prompt=_normalised(prompt, api_kind=api_kind), **fields)


def static_pick_of(prompt: Promptlike, *, fields: RequestFields) -> str:
    """The safe answer to a request that may turn out unusable; empty if there is none."""
    if "static_pick" in fields:
        return fields["static_pick"] or ""
    return (isinstance(prompt, RouteRequest) and prompt.static_pick) or ""


def _normalised(
    prompt: str | NormalisedPrompt | Mapping[str, object], *, api_kind: ApiKind | str | None
) -> NormalisedPrompt:
    if isinstance(prompt, NormalisedPrompt):
        return prompt if api_kind is None else replace(prompt, api_kind=ApiKind(api_kind))
    if isinstance(prompt, str):
        kind = ApiKind.UNSPECIFIED if api_kind is None else ApiKind(api_kind)
        return NormalisedPrompt(user_prompt_prefix=prompt.strip(), api_kind=kind)
    if not isinstance(prompt, Mapping):
        wanted = "a str, a NormalisedPrompt, a request body or a RouteRequest"
        raise TypeError(f"prompt must be {wanted}, not {type(prompt).__name__}")
    if api_kind is None:
        raise TypeError("a request body needs api_kind")
    return read_body(prompt, api_kind)
