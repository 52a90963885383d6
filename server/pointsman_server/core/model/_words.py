"""The closed sets of words: what a field can say."""

from __future__ import annotations

from enum import StrEnum


class ApiKind(StrEnum):
    """Which API the gateway's own caller speaks; `UNSPECIFIED` when the gateway did not say."""

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
    """What decisions are for: nothing, to be recorded only, or to be served."""

    OFF = "off"
    SHADOW = "shadow"
    SERVE = "serve"


class Organizations(StrEnum):
    """What happens to requests of callers that belong to an organisation.

    `EXCLUDED`: left untouched. `LOCAL_ONLY`: decided in the process. `ALLOWED`: like any other.
    """

    EXCLUDED = "excluded"
    LOCAL_ONLY = "local_only"
    ALLOWED = "allowed"


class Stickiness(StrEnum):
    """How long one decision holds.

    `EXACT`: for the same content only. `CONVERSATION`: until it expires or its fingerprint
    changes. `ADAPTIVE`: every task is decided, and the conversation stays on its model unless an
    upgrade or a saving is worth a switch.
    """

    EXACT = "exact"
    CONVERSATION = "conversation"
    ADAPTIVE = "adaptive"


class Retention(StrEnum):
    """How long an engine's answer may be cached.

    `FULL`: for the cache's `ttl`; an answer that found nothing to size, for `fallback_ttl`.
    `TASKS_ONLY`: likewise, and an answer that found nothing to size not at all. `BRIEF`: for
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
    """How a request ended: the response's `outcome`."""

    ROUTED = "routed"
    SKIPPED = "skipped"
    FAILED = "failed"
    OFF = "off"


class Reason(StrEnum):
    """Why a request was not routed, or was routed without being served."""

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
    """Why a candidate of the request is not among those that were decided between."""

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
    """What identified the conversation, the first that the caller sent."""

    SESSION = "session"
    MACHINE = "machine"
    CONTENT = "content"


class SwitchReason(StrEnum):
    """Why a conversation left the model that it was on."""

    UPGRADE = "upgrade"
    SAVING = "saving"
    INELIGIBLE = "ineligible"
    REDECIDED = "redecided"
    RESET = "reset"
