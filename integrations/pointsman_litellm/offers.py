"""The candidates that the hook offers for a tier: those of the tier that the proxy can serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman_client import RoutingClient, RoutingError

from pointsman_litellm.proxy_models import (
    MOST_CANDIDATES,
    chat_models,
    has_model,
    is_proxy,
    may_use,
)

_FRESH = 60.0
"""Seconds for which the service's own candidates are remembered."""
_WAIT = 0.1
"""Seconds that a request waits for them; a later one finds them."""


class Offers:
    """Finds the candidates of a tier for a key. It asks the service for the tier's own."""

    def __init__(
        self,
        routing: RoutingClient,
        *,
        candidates: Mapping[str, Sequence[str]],
        tiers: Sequence[str],
        key_rights: bool,
    ) -> None:
        self._routing = routing
        self._given = {tier: tuple(models) for tier, models in candidates.items()}
        self._tiers = tuple(tiers)
        self._key_rights = key_rights
        self._own: dict[str, tuple[str, ...]] = {}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def for_tier(self, tier: str, *, key: Any) -> tuple[str, ...] | None:
        """Return the candidates of a tier, best first.

        `None`: nothing restricts them, since no proxy runs here. Empty: no candidate may be served.
        """
        wanted = self._given.get(tier) or await self._tiers_own(tier)
        if not is_proxy():
            return wanted or None
        if wanted:
            listed = tuple(model for model in wanted if has_model(model))
        else:
            listed = chat_models(team_id=getattr(key, "team_id", None), tiers=self._tiers)
        allowed = await may_use(key, listed) if self._key_rights else listed
        return allowed[:MOST_CANDIDATES]

    async def _tiers_own(self, tier: str) -> tuple[str, ...]:
        """Return the candidates of the policy file; empty until the service has described them."""
        if time.monotonic() - self._asked_at > _FRESH and self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None and not self._own:
            await asyncio.wait({self._asking}, timeout=_WAIT)
        return self._own.get(tier, ())

    async def _ask(self) -> None:
        try:
            described = await self._routing.describe()
            self._own = {each.name.lower(): each.default_candidates for each in described.tiers}
        except RoutingError:
            pass  # the last description holds; without any, all models of the proxy are candidates
        finally:
            self._asked_at = time.monotonic()
            self._asking = None
