"""The proxy's hooks: they set the decided model for a tier, and note the model that served."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from pointsman_client import (
    ConversationKey,
    IdentitySources,
    ResponseChains,
    RoutingClient,
    Served,
    ServedModels,
    in_trace_of,
    routing_from,
    tier_request,
)

from pointsman_litellm.call_data import (
    KINDS,
    SIDE_CALLS,
    headers_of,
    identity_of,
    plain_response_id,
    prompt_of,
)
from pointsman_litellm.offers import Offers
from pointsman_litellm.proxy_models import has_model

_MOST_CALLS = 10_000
_log = logging.getLogger("pointsman_litellm")


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in flight: its conversation and its model."""

    key: ConversationKey | None
    session_id: str | None
    served: Served


class PointsmanHook(CustomLogger):  # type: ignore[misc]  # LiteLLM is not there when types are checked
    """Calls Pointsman for requests whose model is one of `tiers`.

    `tiers` maps each tier to its static pick, a `model_name` of the proxy, or to `None`. With
    `serves` the request gets the chosen model: the decision's, else the static pick. Otherwise it
    passes as it came, and Pointsman is called in the background. Errors in here never fail a
    request.

    Candidates are the tier's own (`candidates`, else those of the policy file) that the proxy has
    and, with `key_rights`, that the request's key may use. A model that the proxy lacks is never
    set. `sources` says where users and sessions are looked for.

    LiteLLM calls only methods that a class defines itself: use this one, do not derive from it.
    """

    def __init__(
        self,
        routing: RoutingClient,
        *,
        tiers: Mapping[str, str | None],
        serves: bool = False,
        candidates: Mapping[str, Sequence[str]] | None = None,
        key_rights: bool = True,
        sources: IdentitySources | None = None,
    ) -> None:
        super().__init__()
        self._routing = routing
        self._static_picks = {tier.strip().lower(): pick for tier, pick in tiers.items()}
        self._tiers: Mapping[str, tuple[str, ...]] = dict.fromkeys(self._static_picks, ())
        self._serves = serves
        self._sources = sources or IdentitySources()
        self._offers = Offers(
            routing,
            candidates={tier.strip().lower(): each for tier, each in (candidates or {}).items()},
            tiers=tuple(self._static_picks),
            key_rights=key_rights,
        )
        self._chains = ResponseChains()
        self._models = ServedModels()
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,
        cache: Any,  # noqa: ARG002  # LiteLLM's signature
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any]:
        """Set `data["model"]` where it is to be set; `data` has the body as the client sent it."""
        try:
            if call_type in KINDS:
                await self._choose(data, call_type=call_type, key=user_api_key_dict)
        except Exception as error:  # noqa: BLE001  # the request must go on
            self._fault(error)
        return data

    async def async_post_call_success_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,  # noqa: ARG002  # LiteLLM's signature
        response: Any,
    ) -> Any:
        """Remember to which session a response belongs."""
        try:
            call = self._calls.get(str(data.get("litellm_call_id")))
            if call is not None:
                self._record(response, session_id=call.session_id)
        except Exception as error:  # noqa: BLE001  # the response must go on
            self._fault(error)
        return response

    async def async_log_success_event(
        self,
        kwargs: dict[str, Any],
        response_obj: Any,
        start_time: Any,  # noqa: ARG002  # LiteLLM's signature
        end_time: Any,  # noqa: ARG002
    ) -> None:
        """Remember which model served in the end, and the responses of streams."""
        try:
            call = self._calls.pop(str(kwargs.get("litellm_call_id")), None)
            if call is None:
                return
            self._record(response_obj, session_id=call.session_id)
            group = _model_group(kwargs)
            if group and group != call.served.model and group.lower() not in self._tiers:
                # A fallback of LiteLLM's: the service does not know of it.
                self._models.note(call.key, Served(group, unknown_to_service=True))
        except Exception as error:  # noqa: BLE001  # nothing waits for it
            self._fault(error)

    async def _choose(self, data: dict[str, Any], *, call_type: str, key: Any) -> None:
        requested = data.get("model")
        routing = routing_from(requested, tiers=self._tiers) if isinstance(requested, str) else None
        if routing is None:
            return
        headers = headers_of(data)
        with in_trace_of(headers):
            served = await self._answer(
                data, call_type=call_type, tier=routing.tier, key=key, headers=headers
            )
        if served:
            data["model"] = served

    async def _answer(
        self, data: dict[str, Any], *, call_type: str, tier: str, key: Any, headers: dict[str, str]
    ) -> str:
        """Return the model to set; empty: none."""
        pick = self._static_picks[tier]
        prompt = prompt_of(data, call_type=call_type)
        if prompt is None:
            return self._served(tier, pick, why="unreadable") if self._serves else ""
        identity = identity_of(
            data,
            key=key,
            headers=headers,
            sources=self._sources,
            chains=self._chains,
            prompt=prompt,
        )
        side = call_type in SIDE_CALLS
        request = tier_request(identity, tier=tier, prompt=prompt, served=self._models, side=side)
        last = request.last
        if side and not self._serves:
            return ""
        if side and last and has_model(last.model):
            return self._served(tier, last.model, why="side")
        offered = await self._offers.for_tier(tier, key=key)
        if offered is not None and not offered:
            return self._served(tier, pick, why="no_candidate") if self._serves else ""
        asked: dict[str, Any] = {
            **request.fields,
            "static_pick": pick,
            "candidates": offered or (),
        }
        if not self._serves:
            self._routing.mirror(prompt, **asked)
            return ""
        choice = await self._routing.decide(prompt, **asked)
        decided = choice.model
        if decided != pick and not _is_offered(decided, offered=offered):
            _log.warning("decided model not in the proxy: %s: add it to model_list", tier)
            decided = pick or ""
        model = self._served(tier, decided, why=choice.why)
        if model and not side:
            served = Served(model, choice.result is None or model != choice.model)
            self._models.note(request.key, served)
            self._remember(data, _Call(request.key, identity.session_id, served))
        return model

    def _served(self, tier: str, model: str | None, *, why: str) -> str:
        """Log a choice; a model that the proxy lacks is left to LiteLLM's alias of the tier."""
        usable = model if model and has_model(model) else ""
        _log.info("%s: %s (%s)", tier, usable or tier, why)
        return usable

    def _remember(self, data: Mapping[str, Any], call: _Call) -> None:
        call_id = data.get("litellm_call_id")
        if not isinstance(call_id, str):
            return
        self._calls[call_id] = call
        if len(self._calls) > _MOST_CALLS:
            self._calls.popitem(last=False)

    def _record(self, response: Any, *, session_id: str | None) -> None:
        """Remember the session of a response; a stream's is inside of its last event."""
        named = getattr(response, "id", None) or getattr(
            getattr(response, "response", None), "id", None
        )
        self._chains.record(plain_response_id(named), session_id=session_id)

    def _fault(self, error: Exception) -> None:
        # The kind alone: a message may quote the request.
        _log.error("a request passes as it came: %s in the hook", type(error).__name__)


def _is_offered(model: str, *, offered: Sequence[str] | None) -> bool:
    return bool(model) and has_model(model) and (not offered or model in offered)


def _model_group(kwargs: Mapping[str, Any]) -> str | None:
    """The name of the model that the router called at last."""
    parameters = kwargs.get("litellm_params")
    for name in ("metadata", "litellm_metadata"):
        metadata = parameters.get(name) if isinstance(parameters, Mapping) else None
        group = metadata.get("model_group") if isinstance(metadata, Mapping) else None
        if isinstance(group, str) and group:
            return group
    return None
