"""The decision cache: `DecisionCache` over aiocache."""

from pointsman_server.cache.decision_cache import AiocacheDecisionCache, CacheMeter
from pointsman_server.cache.memory import BoundedMemoryCache

__all__ = ["AiocacheDecisionCache", "BoundedMemoryCache", "CacheMeter"]
