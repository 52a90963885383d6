"""One `RouteDecision` request, validated and bounded."""

from __future__ import annotations

from pointsman_server.core.model._words import ApiKind, DataPolicy, Modality
from pointsman_server.core.value import value

PROMPT_CODE_POINTS = 1_000
"""The maximum length of each prompt prefix, in Unicode code points."""


@value(kw_only=True)
class Prompt:
    """Bounded prefixes of one conversation; each at most `PROMPT_CODE_POINTS` long."""

    first: str | None = None
    latest: str | None = None
    system: str | None = None
    api_kind: ApiKind = ApiKind.UNSPECIFIED
    message_count: int | None = None
    has_tools: bool = False
    stream: bool = False
    max_output_tokens: int | None = None
    context_reset: bool = False
    """The context was rebuilt since the previous turn: no prompt cache is left to lose."""

    def chosen(self) -> str | None:
        """The text that engines see: the latest prompt unless blank, else the first; trimmed."""
        for text in (self.latest, self.first):
            if text is not None and (trimmed := text.strip()):
                return trimmed[:PROMPT_CODE_POINTS]
        return None


@value(kw_only=True)
class Caller:
    """Raw ids of the caller, which are hashed before they are stored or exported."""

    user_id: str
    session_id: str | None = None
    machine_id: str | None = None
    client_request_id: str | None = None
    mode: str | None = None
    user_agent: str | None = None
    organization_id: str | None = None
    agent_id: str | None = None


@value(kw_only=True)
class RoutingContext:
    """The routing question: a tier, the models that it may use, the gateway's static pick."""

    auto_model: str
    candidate_models: tuple[str, ...] = ()
    resolved_model: str | None = None
    incumbent_model: str | None = None
    """The model that the gateway served last; overrides the remembered one."""


@value(kw_only=True)
class Constraints:
    """Requirements that a model must meet to serve this request."""

    required_inputs: frozenset[Modality] = frozenset()
    prompt_tokens_estimate: int | None = None
    requires_tools: bool = False
    denied_models: frozenset[str] = frozenset()
    keep_provider: bool = False


NO_CONSTRAINTS = Constraints()


@value(kw_only=True)
class RouteRequest:
    """One `RouteDecision` request, validated."""

    prompt: Prompt
    caller: Caller
    routing: RoutingContext | None = None
    data_policy: DataPolicy = DataPolicy.UNSPECIFIED
    constraints: Constraints = NO_CONSTRAINTS
    requested_model: str | None = None
    body_bytes: int = 0
    classify: bool = False
    dry_run: bool = False

    @property
    def static_pick(self) -> str | None:
        """The model of the gateway's own rules: the baseline and the safe answer.

        One that the request itself denies counts as absent.
        """
        pick = self.routing.resolved_model if self.routing else None
        return None if pick in self.constraints.denied_models else pick
