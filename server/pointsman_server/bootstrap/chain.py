"""The chain of one policy file, bottom-up, a line a layer."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman_server.chain.cached import CacheWriter
from pointsman_server.chain.effort_advice import EffortAdvice
from pointsman_server.chain.fallback import Fallback
from pointsman_server.chain.singleflight import SingleFlight
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import AnswerCodec, Clock, DecisionCache, DecisionEngine


def build_chain(
    rules: PolicyFile,
    *,
    engines: Mapping[str, DecisionEngine],
    cache: DecisionCache,
    codec: AnswerCodec,
    clock: Clock,
) -> DecisionEngine:
    """Build the layers of a decision that no cache holds; the last one built runs first."""
    chain: DecisionEngine = Fallback(engines)
    chain = EffortAdvice(chain)
    chain = CacheWriter(chain, cache=cache, codec=codec, rules=rules.cache)
    return SingleFlight(chain, clock=clock)
