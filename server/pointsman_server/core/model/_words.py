"""Enumerations: the allowed values of fields."""

from __future__ import annotations

from enum import StrEnum


class ApiKind(StrEnum):
    """The API of the gateway's own caller; `UNSPECIFIED` if it is unknown."""

    UNSPECIFIED = "unspecified"
    CHAT_COMPLETIONS = "chat_completions"
    RESPONSES = "responses"
    MESSAGES = "messages"


class Modality(StrEnum):
    """An input that a model may or may not take besides text."""

    IMAGE = "image"
    FILE = "file"
    AUDIO = "audio"
    VIDEO = "video"


class DataPolicy(StrEnum):
    """Whether the prompt prefix may leave this process for a third party's engine."""

    UNSPECIFIED = "unspecified"
    THIRD_PARTY_ALLOWED = "third_party_allowed"
    THIRD_PARTY_DENIED = "third_party_denied"


class Mode(StrEnum):
    """The use of decisions: none, recorded only, or served."""

    OFF = "off"
    SHADOW = "shadow"
    SERVE = "serve"


class Organizations(StrEnum):
    """The treatment of requests whose caller belongs to an organisation.

    `EXCLUDED`: left untouched. `LOCAL_ONLY`: decided in the process. `ALLOWED`: like any other.
    """

    EXCLUDED = "excluded"
    LOCAL_ONLY = "local_only"
    ALLOWED = "allowed"


class Stickiness(StrEnum):
    """The lifetime of one decision.

    `EXACT`: for the same content only. `CONVERSATION`: until it expires or its fingerprint
    changes. `ADAPTIVE`: every task is decided, and the conversation stays on its model unless an
    upgrade or a saving is worth a switch.
    """

    EXACT = "exact"
    CONVERSATION = "conversation"
    ADAPTIVE = "adaptive"


class Retention(StrEnum):
    """The lifetime of an engine's answer in the cache.

    `FULL`: for the cache's `ttl`; an answer that could not size the prompt, for `fallback_ttl`.
    `TASKS_ONLY`: likewise, and an answer that could not size the prompt not at all. `BRIEF`: for
    `fallback_ttl`, since the prompt holds no task.
    """

    FULL = "full"
    TASKS_ONLY = "tasks_only"
    BRIEF = "brief"


class Source(StrEnum):
    """The kind of engine that made a decision."""

    MORPH = "morph"
    LOCAL = "local"
    DECISION_MODEL = "decision_model"


class Verdict(StrEnum):
    """The outcome of a request: the response's `outcome`."""

    ROUTED = "routed"
    SKIPPED = "skipped"
    FAILED = "failed"
    OFF = "off"


class Reason(StrEnum):
    """The reason why a request was not routed, or why its decision is not served."""

    NO_ROUTING_CONTEXT = "no_routing_context"
    FLAG_OFF = "flag_off"
    MODE_OFF = "mode_off"
    UNKNOWN_TIER = "unknown_tier"
    NO_PROMPT = "no_prompt"
    INSUFFICIENT_CANDIDATES = "insufficient_candidates"
    ENGINES_FAILED = "engines_failed"
    THIRD_PARTY_DENIED = "third_party_denied"
    AMBIGUOUS = "ambiguous"
    CONCRETE_MODEL_REQUESTED = "concrete_model_requested"
    NO_TASK = "no_task"
    PROVIDER_FENCE = "provider_fence"
    ORGANIZATION_EXCLUDED = "organization_excluded"


class DropReason(StrEnum):
    """The reason why a candidate was dropped."""

    UNMAPPED = "unmapped"
    DUPLICATE = "duplicate"
    DENIED = "denied"
    EXPERIMENTAL = "experimental"
    VIRTUAL = "virtual"
    INPUT_UNSUPPORTED = "input_unsupported"
    CONTEXT_TOO_SMALL = "context_too_small"
    TOOLS_UNSUPPORTED = "tools_unsupported"
    OTHER_PROVIDER = "other_provider"


class ConversationSource(StrEnum):
    """The identity of the conversation: the first that the caller sent."""

    SESSION = "session"
    MACHINE = "machine"
    CONTENT = "content"


class SwitchReason(StrEnum):
    """The reason why a conversation left its model."""

    UPGRADE = "upgrade"
    SAVING = "saving"
    INELIGIBLE = "ineligible"
    REDECIDED = "redecided"
    RESET = "reset"
