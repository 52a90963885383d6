"""Cached decisions: one layer reads them before an engine call, one writes answers."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry.trace import Tracer

from pointsman_server.chain.circuit_breaker import CUT_OFF
from pointsman_server.core import entry
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.policy_file import CacheRules
from pointsman_server.core.ports import AnswerCodec, DecisionCache, DecisionEngine
from pointsman_server.core.serving import NEEDS_INFO


class CacheReader:
    """Answers from the cache where it can."""

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        cache: DecisionCache,
        codec: AnswerCodec,
        tracer: Tracer,
    ) -> None:
        self._delegate = delegate
        self._cache = cache
        self._codec = codec
        self._tracer = tracer

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The cached answer for `query.key`, if it names one of this request's candidates."""
        if query.key is not None:
            with self._tracer.start_as_current_span("pointsman.cache.lookup") as span:
                raw = await self._cache.get(query.key)
                kept = self._codec.load(raw) if raw is not None else None
                hit = kept is not None and entry.holds(kept, query.candidates)
                span.set_attribute("pointsman.cached", hit)
            if kept is not None and hit:
                return kept
        return await self._delegate.decide(query)


class CacheWriter:
    """Caches its delegate's answers. The first decision of a conversation wins."""

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        cache: DecisionCache,
        codec: AnswerCodec,
        rules: CacheRules,
    ) -> None:
        self._delegate = delegate
        self._cache = cache
        self._codec = codec
        self._rules = rules

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Return the delegate's answer, or one that another replica cached in the meantime.

        An answer that stands in for a failing engine, or for a prompt without a task, is cached for
        `fallback_ttl` only: neither an outage nor a "hello" decides for a whole conversation. An
        answer that one caller's short deadline forced is not cached at all.
        """
        answer = await self._delegate.decide(query)
        if query.key is None or any(f.stage == CUT_OFF for f in answer.failures):
            return answer
        passing = answer.failures or answer.difficulty == NEEDS_INFO
        ttl = self._rules.fallback_ttl if passing else self._rules.ttl
        value = self._codec.dump(answer)
        there = await self._cache.add(query.key, value, ttl=ttl)
        if there is None or there == value:
            return answer
        first = self._codec.load(there)
        if first is not None and entry.holds(first, query.candidates):
            # The failures are those of this request, even if another decision is used.
            return replace(first, failures=answer.failures)
        # The existing entry is unreadable or no longer valid: replace it.
        await self._cache.put(query.key, value, ttl=ttl)
        return answer
