"""Requests of a gateway: frozen values in the terms of the contract, free of gRPC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

PREFIX_CODE_POINTS = 1_000
"""The length of each prompt prefix that is sent, in Unicode code points."""


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
    """Whether the prompt prefix may leave the service for a third party's engine."""

    UNSPECIFIED = "unspecified"
    THIRD_PARTY_ALLOWED = "third_party_allowed"
    THIRD_PARTY_DENIED = "third_party_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Requirements that a model must meet to serve a request. The default has none.

    `prompt_tokens_estimate` is the length of the whole prompt in tokens, including the reserve for
    the answer; `denied_models` are public ids, at most 256; `keep_provider` restricts a
    conversation to its provider.
    """

    required_inputs: frozenset[Modality] = frozenset()
    prompt_tokens_estimate: int | None = None
    requires_tools: bool = False
    denied_models: Sequence[str] = ()
    keep_provider: bool = False

    def __post_init__(self) -> None:
        inputs = frozenset(Modality(each) for each in self.required_inputs)
        object.__setattr__(self, "required_inputs", inputs)
        object.__setattr__(
            self, "denied_models", names_of("denied_models", names=self.denied_models)
        )
        check_types(
            self,
            prompt_tokens_estimate=(int, type(None)),
            requires_tools=(bool,),
            keep_provider=(bool,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedPrompt:
    """Bounded prefixes of one conversation, and the requirements of its body.

    The three prefixes hold at most `PREFIX_CODE_POINTS` code points each and are well-formed
    Unicode, in every case. `None` always means "not known".
    """

    user_prompt_prefix: str | None = None
    latest_user_prompt_prefix: str | None = None
    """`None` as well when it equals the first."""
    system_prompt_prefix: str | None = None
    api_kind: ApiKind = ApiKind.UNSPECIFIED
    message_count: int | None = None
    has_tools: bool = False
    stream: bool = False
    requested_model: str | None = None
    required_inputs: frozenset[Modality] = frozenset()
    prompt_tokens_estimate: int | None = None
    max_output_tokens: int | None = None
    """The token limit of the answer in the body; up to 16 is a probe."""
    context_reset: bool = False
    """The agent rebuilt the context (compaction), and no model has answered since."""
    body_bytes: int = 0
    """The size of the body as JSON, near enough; 0: there is no body."""
    keep_provider: bool = False
    """The body holds state that only one provider can read, such as signed or encrypted thinking,
    a conversation by its id or uploaded files."""
    data_policy: DataPolicy = DataPolicy.UNSPECIFIED
    """`THIRD_PARTY_DENIED` when the body opts out of data collection."""

    def __post_init__(self) -> None:
        for name in ("user_prompt_prefix", "latest_user_prompt_prefix", "system_prompt_prefix"):
            object.__setattr__(self, name, _prefix(name, text=getattr(self, name)))
        object.__setattr__(self, "api_kind", ApiKind(self.api_kind))
        object.__setattr__(self, "data_policy", DataPolicy(self.data_policy))
        check_types(self, max_output_tokens=(int, type(None)), context_reset=(bool,))

    def constraints(self) -> Constraints:
        """The body's requirements."""
        return Constraints(
            required_inputs=self.required_inputs,
            prompt_tokens_estimate=self.prompt_tokens_estimate,
            requires_tools=self.has_tools,
            keep_provider=self.keep_provider,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """A request for a decision: the choice of one of `candidates` for `prompt`.

    The service checks lengths; types are checked here and raise `TypeError`. Without a
    `tier` it is an ordinary request, without a decision. Any `None` value
    of `constraints`, `requested_model`, `max_output_tokens` and `context_reset` comes from the
    prompt's body; a body that opts out of
    data collection stays `THIRD_PARTY_DENIED` even if `data_policy` allows more.
    """

    prompt: NormalisedPrompt
    user_id: str
    session_id: str | None = None
    machine_id: str | None = None
    client_request_id: str | None = None
    mode: str | None = None
    user_agent: str | None = None
    organization_id: str | None = None
    agent_id: str | None = None
    """The sub-agent that asks, within the session; `None`: the main agent."""
    tier: str | None = None
    """The pseudo-model that the user selected, in the spelling of the policy file."""
    candidates: Sequence[str] = ()
    """Public ids in the order of preference, at most 32; empty: the tier's own."""
    static_pick: str | None = None
    """The model of the gateway's own rules: the baseline and the safe answer."""
    incumbent_model: str | None = None
    """The model that was served last in this conversation, where the gateway knows better than the
    service: its own fallback, a restart, shadow mode."""
    max_output_tokens: int | None = None
    context_reset: bool | None = None
    constraints: Constraints | None = None
    data_policy: DataPolicy = DataPolicy.UNSPECIFIED
    requested_model: str | None = None
    body_bytes: int = 0
    classify: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidates", names_of("candidates", names=self.candidates))
        object.__setattr__(self, "data_policy", DataPolicy(self.data_policy))
        text = (str, type(None))
        check_types(
            self,
            prompt=(NormalisedPrompt,),
            user_id=(str,),
            session_id=text,
            machine_id=text,
            client_request_id=text,
            mode=text,
            user_agent=text,
            organization_id=text,
            agent_id=text,
            tier=text,
            static_pick=text,
            incumbent_model=text,
            max_output_tokens=(int, type(None)),
            context_reset=(bool, type(None)),
            constraints=(Constraints, type(None)),
            requested_model=text,
            body_bytes=(int,),
            classify=(bool,),
            dry_run=(bool,),
        )

    def effective_constraints(self) -> Constraints:
        """Those given, else those of the body."""
        return self.prompt.constraints() if self.constraints is None else self.constraints

    def effective_max_output_tokens(self) -> int | None:
        """The limit given, else the body's."""
        given = self.max_output_tokens
        return self.prompt.max_output_tokens if given is None else given

    def effective_context_reset(self) -> bool:
        """The given value, else the body's."""
        return self.prompt.context_reset if self.context_reset is None else self.context_reset

    def effective_data_policy(self) -> DataPolicy:
        """The stricter of the one given and the body's own."""
        if self.prompt.data_policy is DataPolicy.THIRD_PARTY_DENIED:
            return DataPolicy.THIRD_PARTY_DENIED
        return self.data_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The routing fields of a gateway: see `routing_from`."""

    tier: str
    candidates: Sequence[str] = field(default=())
    static_pick: str | None = None


def names_of(name: str, *, names: Iterable[str]) -> tuple[str, ...]:
    """`names` as a tuple; a single string in its place is the mistake that this is for."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"{name} must be a sequence of strings, not {type(names).__name__}")
    listed = tuple(names)
    for each in listed:
        if not isinstance(each, str):
            raise TypeError(f"{name} must hold strings, not {type(each).__name__}")
    return listed


def check_types(value: object, **allowed: tuple[type, ...]) -> None:
    """Raise `TypeError` for the first attribute that is not of its types; no bool for an int."""
    for name, types in allowed.items():
        found = getattr(value, name)
        if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
            wanted = " or ".join("None" if each is type(None) else each.__name__ for each in types)
            raise TypeError(f"{name} must be {wanted}, not {type(found).__name__}")


def is_well_formed(text: str) -> bool:
    """Whether `text` can be encoded: a lone surrogate, as broken JSON may hold one, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _prefix(name: str, *, text: str | None) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{name} must be str or None, not {type(text).__name__}")
    cut = text[:PREFIX_CODE_POINTS]
    # Through UTF-16, so that the two halves of a pair that arrived apart become one character.
    if is_well_formed(cut):
        return cut
    return cut.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
