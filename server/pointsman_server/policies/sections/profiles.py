"""A profile: the keys under `llm` and under each of `llm.profiles`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.scalars import (
    Scalar,
    name,
    phrase,
    raw_text,
)
from pointsman_server.policies.sections.urls import base_url

_LONGEST = 4_096
_LARGEST_INTEGER = 2**53


def or_empty(scalar: Scalar) -> Scalar:
    """The same, or empty text, which counts as left out."""

    def checked(value: object) -> object:
        return value if value == "" else scalar.checked(value)

    schema = {"anyOf": [{"const": ""}, dict(scalar.json_schema)]}
    return Scalar(checked, schema, scalar.bounds)


Header = Annotated[str, or_empty(phrase(256))]


def numeric(minimum: float, maximum: float, *, whole: bool = False) -> Scalar:
    """Describe a number, which may be written as text, since `${NAME}` gives text.

    Empty text counts as left out.
    """
    bounds = f"{minimum:,} to {maximum:,}"
    kind = "whole number" if whole else "number"

    def checked(value: object) -> object:
        if value == "":
            return value
        read = _number_in(value)
        if read is None or not minimum <= read <= maximum or (whole and read != int(read)):
            raise ValueError(f"must be a {kind} from {bounds}")
        return int(read) if whole else read

    return Scalar(checked, {"type": ["number", "string"]}, bounds)


def _number_in(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def boolean() -> Scalar:
    """Describe a boolean, which may be written as text; empty text counts as left out."""

    def checked(value: object) -> object:
        if isinstance(value, bool) or value == "":
            return value
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        raise ValueError("must be `true` or `false`")

    return Scalar(checked, {"type": ["boolean", "string"]}, "`true`, `false`")


def reference() -> Scalar:
    """Describe where a secret is found: `${NAME}`, or nothing. `env_references` checks the form."""

    def checked(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("must be a reference such as `${NAME}`")  # noqa: TRY004 - pydantic's
        return value

    return Scalar(checked, {"type": "string", "pattern": r"^(\$\{\w+\})?$"}, "`${NAME}`")


def plain() -> Scalar:
    """Describe any value that JSON has, within bounds."""

    def checked(value: object) -> object:
        if not _is_plain(value):
            raise ValueError(f"must be a plain value, texts of at most {_LONGEST:,} characters")
        if not _is_exact(value):
            raise ValueError(
                "must hold no whole number beyond 2^53, which loses digits on the wire: write it"
                " as text"
            )
        return value

    return Scalar(checked, {}, "any plain value")


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return len(value) <= _LONGEST
    return value is None or isinstance(value, bool | int) or _is_finite(value)


def _is_exact(value: object) -> bool:
    """Whether a `Struct` of protobuf, whose numbers are doubles, holds `value` as it is."""
    if isinstance(value, dict):
        return all(map(_is_exact, value.values()))
    if isinstance(value, list):
        return all(map(_is_exact, value))
    return not isinstance(value, int) or abs(value) <= _LARGEST_INTEGER


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


class AzureSection(Section):
    """Settings for the provider `azure`."""

    deployment: Annotated[str, or_empty(phrase(256))] | None = None
    """Azure OpenAI: name of the deployment."""


class BedrockSection(Section):
    """Settings for the provider `bedrock`."""

    aws_key: Annotated[str, reference()] | None = None
    """Reference to the access key."""
    aws_secret: Annotated[str, reference()] | None = None
    """Reference to the secret key."""
    aws_session_token: Annotated[str, reference()] | None = None
    """Reference to the session token."""
    aws_profile: Annotated[str, or_empty(phrase(256))] | None = None
    """AWS Bedrock: profile of the AWS configuration at the caller."""
    region: Annotated[str, or_empty(name(64))] | None = None
    """AWS Bedrock: region."""
    model_arn: Annotated[str, or_empty(name(2_048))] | None = None
    """AWS Bedrock: ARN of the model."""


class CloudflareSection(Section):
    """Settings for the provider `cloudflare`."""

    account_id: Annotated[str, or_empty(name(256))] | None = None
    """Cloudflare Workers AI: the account."""
    api_token: Annotated[str, reference()] | None = None
    """Cloudflare Workers AI: the API token."""


class ProfileSection(Section):
    """One LLM config; an absent, null or empty key is inherited from `llm`."""

    provider: Annotated[str, or_empty(name(64))] | None = None
    """The provider of the model, such as `openai` or `anthropic`."""
    model: Annotated[str, or_empty(name())] | None = None
    """The provider's name of the model."""
    endpoint: Annotated[str, or_empty(base_url())] | None = None
    """Base URL, if it is not the provider's default."""
    api_key: Annotated[str, reference()] | None = None
    """Reference to the key: `credential_ref` of an attempt is `env:NAME`. Not
    inherited by a profile that changes `provider` or `endpoint` (a warning).
    """
    inference_provider: Annotated[str, or_empty(name(64))] | None = None
    """The company that runs the model, if the provider offers a choice."""
    temperature: Annotated[float, numeric(0, 2)] | None = None
    """Sampling temperature."""
    reasoning_effort: Annotated[str, or_empty(name(32))] | None = None
    """The reasoning effort, in the provider's words."""
    reasoning_budget_tokens: Annotated[int, numeric(0, 10_000_000, whole=True)] | None = None
    """Maximum reasoning tokens."""
    context_window_tokens: Annotated[int, numeric(0, 1_000_000_000, whole=True)] | None = None
    """Maximum tokens of input and output together."""
    request_timeout: Annotated[str, raw_text(32)] | None = None
    """The time-out of a request, passed on unchanged."""
    tools_emulation_mode: Literal["off", "fallback", "force"] | None = None
    """Whether tool calls are emulated for models without them."""
    supports_image_parts: Annotated[bool, boolean()] | None = None
    """Whether the model accepts images."""
    cache_ttl: Annotated[str, raw_text(32)] | None = None
    """The lifetime of the provider's prompt cache, passed on unchanged."""
    cache_key_prefix: Annotated[str, raw_text(128)] | None = None
    """The prefix of the provider's cache keys."""
    headers: Annotated[dict[Annotated[str, name(128)], Header], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """Further HTTP headers; an empty one is inherited. One that holds a credential
    (`Authorization`, `x-api-key`) holds a reference, such as `Bearer ${NAME}`.
    """
    azure: AzureSection = AzureSection()
    """Additional settings of Azure OpenAI."""
    bedrock: BedrockSection = BedrockSection()
    """Additional settings of AWS Bedrock."""
    cloudflare: CloudflareSection = CloudflareSection()
    """Additional settings of Cloudflare Workers AI."""
    parameters: Annotated[
        dict[Annotated[str, name(64)], Annotated[object, plain()]], Field(max_length=64)
    ] = Field(default_factory=dict)
    """Other settings for the caller, passed on unchanged. A credential by its name holds a
    reference.
    """

    @field_validator("tools_emulation_mode", mode="before")
    @classmethod
    def _empty_is_left_out(cls, value: object) -> object:
        return None if value == "" else value

    def settings(self) -> dict[str, Any]:
        """The keys that it sets; sections and mappings as dicts without absent keys."""
        fields = {key: getattr(self, key) for key in ProfileSection.model_fields}
        return {k: v for k, v in ((k, _set_values(v)) for k, v in fields.items()) if _is_set(v)}


def _set_values(value: Any) -> Any:
    if isinstance(value, Section):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {k: v for k, v in value.items() if _is_set(v)}
    return value


def _is_set(value: object) -> bool:
    return value is not None and value not in ("", {})
