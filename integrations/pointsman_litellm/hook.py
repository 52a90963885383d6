"""The proxy's hook before each call: the model that Pointsman decides for, in place of a tier."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from pointsman_client import ApiKind, RoutingClient, in_trace_of, routing_from, usable_id

ANONYMOUS = "anonymous"

# LiteLLM's names of the calls behind the three APIs.
_KINDS: Mapping[str, ApiKind] = {
    "completion": ApiKind.CHAT_COMPLETIONS,
    "acompletion": ApiKind.CHAT_COMPLETIONS,
    "responses": ApiKind.RESPONSES,
    "aresponses": ApiKind.RESPONSES,
    "anthropic_messages": ApiKind.MESSAGES,
}
_log = logging.getLogger("pointsman_litellm")


class PointsmanHook(CustomLogger):  # type: ignore[misc]  # LiteLLM is not there when types are checked
    """LiteLLM hook that calls `routing` for requests whose model is one of `tiers`.

    `tiers` maps each tier to its static pick, a `model_name` of the proxy, or to `None`. With
    `serves` the request gets the chosen model: the decision's, else the static pick. Otherwise it
    passes unchanged, and `routing` is called in the background. A failure in the hook never fails
    the request.

    LiteLLM calls only methods defined in the class itself: use this class, do not derive from it.
    """

    def __init__(
        self, routing: RoutingClient, *, tiers: Mapping[str, str | None], serves: bool = False
    ) -> None:
        super().__init__()
        self._routing = routing
        self._static_picks = {tier.strip().lower(): pick for tier, pick in tiers.items()}
        # Without candidates, the policy file's candidates of the tier apply.
        self._tiers: Mapping[str, tuple[str, ...]] = dict.fromkeys(self._static_picks, ())
        self._serves = serves

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,
        cache: Any,  # noqa: ARG002  # LiteLLM's signature
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any]:
        """Set `data["model"]` where it is to be set; `data` has the body as the client sent it."""
        try:
            kind = _KINDS.get(call_type)
            if kind is not None:
                await self._choose(data, kind=kind, key=user_api_key_dict)
        except Exception as error:  # noqa: BLE001  # the request must go on
            # The type only: a message may quote the request.
            _log.error("a request passes as it came: %s in the hook", type(error).__name__)
        return data

    async def _choose(self, data: dict[str, Any], *, kind: ApiKind, key: Any) -> None:
        requested = data.get("model")
        routing = routing_from(requested, tiers=self._tiers) if isinstance(requested, str) else None
        if routing is None:
            return
        headers = _headers(data)
        asked: dict[str, Any] = {
            "user_id": usable_id(key.end_user_id) or usable_id(key.user_id) or ANONYMOUS,
            "session_id": usable_id(data.get("litellm_session_id")),
            "organization_id": usable_id(key.org_id),
            "tier": routing.tier,
            "static_pick": self._static_picks[routing.tier],
            "requested_model": routing.tier,
        }
        with in_trace_of(headers):
            if not self._serves:
                self._routing.mirror(data, api_kind=kind, **asked)
                return
            choice = await self._routing.decide(data, api_kind=kind, **asked)
        _log.info("%s: %s (%s)", routing.tier, choice.model or requested, choice.why)
        if choice.model:
            data["model"] = choice.model


def _headers(data: Mapping[str, Any]) -> dict[str, str]:
    """The client's headers, in lower case; LiteLLM has taken its credentials out."""
    request = data.get("proxy_server_request")
    headers = request.get("headers") if isinstance(request, Mapping) else None
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}
