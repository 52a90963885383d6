"""The chain of one policy file, bottom-up, a line a layer."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.trace import Tracer

from pointsman_server.chain.cached import CacheReader, CacheWriter
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
    tracer: Tracer,
    clock: Clock,
) -> DecisionEngine:
    """Build the layers of every decision; the last one built is the cheapest and runs first."""
    chain: DecisionEngine = Fallback(engines)
    chain = CacheWriter(chain, cache=cache, codec=codec, rules=rules.cache)
    chain = SingleFlight(chain, clock=clock)
    return CacheReader(chain, cache=cache, codec=codec, tracer=tracer)
