"""The models that a running LiteLLM proxy has and that a key may use.

LiteLLM is looked up among the loaded modules and never imported: outside of a proxy, as in a test,
there is nothing to look up and nothing is restricted. Names are those of LiteLLM 1.106.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

MOST_CANDIDATES = 32
"""The contract's limit of a request."""

_PROXY = "litellm.proxy.proxy_server"
_RIGHTS = "litellm.proxy.auth.auth_checks"
_ALL = frozenset({"*", "all-proxy-models"})
_CHAT_MODES = frozenset({None, "", "chat", "responses", "completion"})


def is_proxy() -> bool:
    """Whether a LiteLLM proxy runs in this process."""
    return _PROXY in sys.modules


def chat_models(*, team_id: str | None, tiers: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the proxy's chat models, in its order, without tiers and wildcards."""
    router = _router()
    if router is None:
        return ()
    hidden = set(tiers)
    names = dict.fromkeys(router.get_model_names(team_id=team_id))
    return tuple(
        name
        for name in names
        if name and "*" not in name and name.lower() not in hidden and _is_chat(router, name)
    )


def has_model(model: str) -> bool:
    """Whether the proxy can serve a model of this name: listed, by a wildcard, or by default."""
    if not is_proxy():
        return True
    router = _router()
    if router is None or not model:
        return False
    if model in router.get_model_names() or _recognised(router, model):
        return True
    if router.router_general_settings.pass_through_all_models:
        return True
    if router.default_deployment is not None:
        return True
    return router.pattern_router.route(model) is not None


async def may_use(key: Any, models: Sequence[str]) -> tuple[str, ...]:
    """Return those of `models` that a key may use, by the rules of LiteLLM itself."""
    if not is_proxy():
        return tuple(models)
    return tuple([model for model in models if await _allowed(key, model)])


async def _allowed(key: Any, model: str) -> bool:
    checks = sys.modules.get(_RIGHTS)
    check = getattr(checks, "can_key_call_resolved_model", None)
    if check is None:
        return _listed(key, model)
    try:
        await check(model=model, llm_model_list=None, valid_token=key, llm_router=_router())
    except Exception:  # noqa: BLE001  # it refuses by several kinds; in doubt, not this model
        return False
    return True


def _listed(key: Any, model: str) -> bool:
    """The rule of versions without that check: the key's list and its team's, by name."""
    for listed in (getattr(key, "models", None), getattr(key, "team_models", None)):
        if listed and model not in listed and not _ALL.intersection(listed):
            return False
    return True


def _recognised(router: Any, model: str) -> bool:
    check = getattr(router, "is_recognized_model", None)
    return bool(check is not None and check(model))


def _is_chat(router: Any, name: str) -> bool:
    for deployment in router.get_model_list(model_name=name) or ():
        if ((deployment.get("model_info") or {}).get("mode")) not in _CHAT_MODES:
            return False
    return True


def _router() -> Any:
    return getattr(sys.modules.get(_PROXY), "llm_router", None)
