"""From a request to the question for the service, and from its answer to the models to send."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from pointsman_client import (
    ApiKind,
    Choice,
    ConversationKey,
    Identity,
    IdentitySources,
    NormalisedPrompt,
    ResponseChains,
    RouteResult,
    Served,
    ServedModels,
    UnusableBody,
    identify,
    read_body,
    tier_request,
)

from pointsman_http.bodies import Api, api_of, document_of, with_model
from pointsman_http.response_ids import ResponseIdReader

_NOBODY = Identity()
_IDS: ContextVar[Identity] = ContextVar("pointsman_http_ids", default=_NOBODY)
_log = logging.getLogger("pointsman_http")


@contextmanager
def conversation(
    *,
    session_id: str | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
    organization_id: str | None = None,
) -> Iterator[None]:
    """Give the ids of the requests inside the block; they win over those in headers and bodies."""
    ids = Identity(
        user_id=user_id, session_id=session_id, agent_id=agent_id, organization_id=organization_id
    )
    token = _IDS.set(ids)
    try:
        yield
    finally:
        _IDS.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A request for a tier, and the question that it makes."""

    tier: str
    static_pick: str | None
    raw: bytes
    document: Mapping[str, Any]
    prompt: NormalisedPrompt | None
    """`None`: another API, or a body without the shape of its API; the static pick serves."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `decide` and `mirror`."""
    key: ConversationKey | None = None
    known: str | None = None
    """The model of the conversation, where a side request needs no decision."""

    @property
    def question(self) -> NormalisedPrompt:
        """The prompt to decide for; see `Planner.without_question`."""
        if self.prompt is None:
            raise LookupError("a request without a prompt")
        return self.prompt

    def body_for(self, model: str) -> bytes:
        """Return the request's body for a model. Raises `ValueError`."""
        if "model" not in self.document:  # the path names it
            return self.raw
        return with_model(self.raw, self.document, model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The models to call for one request, best first, and the reason. Empty: there is none."""

    tier: str
    models: tuple[str, ...]
    why: str
    """As in `Choice.why`; also `side`, `unreadable` and, without serving, `mirrored`, `dropped`."""
    result: RouteResult | None = None
    """The service's answer; `None` without one."""

    @property
    def model(self) -> str:
        """The model to serve; empty if there is none."""
        return self.models[0] if self.models else ""


class Planner:
    """Recognises requests for `tiers`, which maps each tier to its static pick, or to `None`.

    `candidates` are the models of each tier that may serve; without any, those of the policy file.
    """

    def __init__(
        self,
        tiers: Mapping[str, str | None],
        *,
        candidates: Mapping[str, Sequence[str]] | None = None,
        sources: IdentitySources | None = None,
    ) -> None:
        self._tiers = {tier.strip().lower(): pick for tier, pick in tiers.items()}
        for tier, pick in self._tiers.items():
            if pick is not None and self.is_tier(pick):
                raise ValueError(f"the static pick of {tier!r} is a tier itself: {pick!r}")
        named = {tier.strip().lower(): tuple(each) for tier, each in (candidates or {}).items()}
        if unknown := named.keys() - self._tiers.keys():
            raise ValueError(f"candidates of a tier that is not in tiers: {sorted(unknown)}")
        self._candidates = named
        self._sources = sources or IdentitySources()
        self._served = ServedModels()
        self._chains = ResponseChains()

    def is_tier(self, model: str) -> bool:
        """Whether a name is that of a tier, in any case and with any blanks around it."""
        return model.strip().lower() in self._tiers

    def plan(
        self, raw: bytes, *, path: str, headers: Mapping[str, str], model: str | None = None
    ) -> Plan | None:
        """Return the plan of a request; `None` for one that names no tier.

        `model` is the one that the path names; by default the body's counts.
        """
        document = document_of(raw)
        model = model or (document.get("model") if document else None)
        if document is None or not isinstance(model, str) or not self.is_tier(model):
            return None
        tier = model.strip().lower()
        static_pick = self._tiers[tier]
        api = api_of(path)
        prompt = _prompt({**document, "model": model}, api)
        if api is None or prompt is None:
            return Plan(tier=tier, static_pick=static_pick, raw=raw, document=document, prompt=None)
        found = identify(
            document, headers=headers, sources=self._sources, chains=self._chains, prompt=prompt
        )
        identity = _over(found)
        asked = tier_request(identity, tier=tier, prompt=prompt, served=self._served, side=api.side)
        own = {
            "candidates": self._candidates.get(tier, ()),
            "static_pick": static_pick,
            "body_bytes": len(raw),
        }
        return Plan(
            tier=tier,
            static_pick=static_pick,
            raw=raw,
            document=document,
            prompt=prompt,
            fields={**asked.fields, **own},
            key=None if api.side else asked.key,
            known=asked.last.model if api.side and asked.last else None,
        )

    def without_question(self, plan: Plan) -> Routed | None:
        """Return the answer to a plan that needs no decision; `None` if it needs one."""
        if plan.prompt is None:
            return self.static(plan, why="unreadable")
        if plan.known:
            return Routed(tier=plan.tier, models=(plan.known,), why="side")
        return None

    def static(self, plan: Plan, *, why: str) -> Routed:
        """Return the static pick."""
        models = (plan.static_pick,) if plan.static_pick else ()
        return Routed(tier=plan.tier, models=models, why=why)

    def routed(self, plan: Plan, choice: Choice) -> Routed:
        """Return the models of a choice: its own, the decision's fallbacks, the static pick."""
        result = choice.result
        first = choice.model
        if not first or self.is_tier(first):
            return self.static(plan, why=choice.why)
        models = [first]
        if result and result.decision and not result.shadow:
            models += [*result.decision.fallback_models, plan.static_pick or first]
        unique = tuple(dict.fromkeys(models))
        return Routed(tier=plan.tier, models=unique, why=choice.why, result=result)

    def reader(self, plan: Plan) -> ResponseIdReader | None:
        """Return a reader of the response, whose id later turns may name; `None`: they cannot."""
        session = plan.fields.get("session_id")
        if plan.key is None or session is None or plan.question.api_kind is not ApiKind.RESPONSES:
            return None
        return ResponseIdReader(lambda found: self._chains.record(found, session_id=session))

    def note(self, plan: Plan, routed: Routed, model: str) -> None:
        """Remember the model that served."""
        chosen = routed.result.serve_model if routed.result else None
        self._served.note(plan.key, Served(model, model != chosen))


def log_fault(error: Exception) -> None:
    """Log that routing failed. The kind alone: a message may quote the request."""
    _log.error("routing failed: %s: the static pick serves", type(error).__name__)


def _prompt(document: Mapping[str, Any], api: Api | None) -> NormalisedPrompt | None:
    if api is None:
        return None
    try:
        return read_body(document, api.kind)
    except UnusableBody:
        return None


def _over(found: Identity) -> Identity:
    """The ids that `conversation` gives, and those that were found where it gives none."""
    given = _IDS.get()
    return Identity(
        user_id=given.user_id or found.user_id,
        session_id=given.session_id or found.session_id,
        agent_id=given.agent_id or found.agent_id,
        organization_id=given.organization_id or found.organization_id,
        session_source=found.session_source,
    )
