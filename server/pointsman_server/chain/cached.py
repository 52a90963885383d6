"""Cached decisions and slots: reads before an engine is called, writes after it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from opentelemetry.trace import Tracer

from pointsman_server.chain.circuit_breaker import CUT_OFF
from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.conversation_slot import (
    ConversationSlot,
    ageing_after,
    dump,
    load,
    stamped,
)
from pointsman_server.core.effort import NEEDS_INFO
from pointsman_server.core.model import EngineAnswer, EngineQuery, Retention
from pointsman_server.core.policy_file import CacheRules
from pointsman_server.core.ports import AnswerCodec, DecisionCache, DecisionEngine
from pointsman_server.core.preparation import Prepared, Recalled


class CachedConversations:
    """`core.ports.ConversationMemory` over one cache for answers and one for slots.

    Answers and slots live in one store under keys of two kinds. `now` is in seconds since the
    epoch; `on_lookup` counts, as the cache itself does, a lookup that the fast path made, which
    holds while nothing was written since (`writes`; `None`: others write, too).
    """

    def __init__(
        self,
        *,
        cache: DecisionCache,
        slots: DecisionCache,
        codec: AnswerCodec,
        rules: CacheRules,
        tracer: Tracer,
        now: Callable[[], float],
        on_lookup: Callable[[str], None],
        writes: Callable[[], int] | None,
    ) -> None:
        self._cache = cache
        self._slots = slots
        self._codec = codec
        self._rules = rules
        self._tracer = tracer
        self._now = now
        self._on_lookup = on_lookup
        self._writes = writes

    async def recall(self, prepared: Prepared) -> Recalled:
        """The conversation's slot, and the answer cached for the request's key.

        Where the store is shared, both are on their way at once.
        """
        lookup = prepared.lookup
        if lookup is not None and self._writes is not None and lookup.writes == self._writes():
            self._on_lookup("miss" if lookup.answer is None else "hit")
            return Recalled(_slot(lookup.slot), self._loaded(lookup.answer))
        if self._rules.shared:
            slot, answer = await asyncio.gather(
                self._slots.get(prepared.conversation), self._find(prepared.key)
            )
            return Recalled(_slot(slot), answer)
        slot = await self._slots.get(prepared.conversation)
        return Recalled(_slot(slot), await self._find(prepared.key))

    async def hold(self, key: bytes, answer: EngineAnswer) -> None:
        """Cache an answer that was weighed, in place of the engine's own."""
        ttl = self._rules.fallback_ttl if answer.stand_in else self._rules.ttl
        await self._cache.put(key, self._codec.dump(answer), ttl=ttl)

    async def note(
        self, conversation: bytes, slot: ConversationSlot, *, before: ConversationSlot | None
    ) -> None:
        """Write the slot where it changed, and again after half of its lifetime.

        A turn that left the conversation on its models does not undo what another turn, in flight
        at the same time, has moved since.
        """
        now, ttl = self._now(), self._rules.ttl
        if before is not None and slot.models == before.models:
            if slot.same(before) and now - before.time <= ageing_after(ttl):
                return
            current = _slot(await self._slots.get(conversation))
            if current is not None and current.models != before.models:
                return
        await self._slots.put(conversation, dump(stamped(slot, now=now, ttl=ttl)), ttl=ttl)

    async def _find(self, key: bytes | None) -> EngineAnswer | None:
        if key is None:
            return None
        with self._tracer.start_as_current_span("pointsman.cache.lookup") as span:
            answer = self._loaded(await self._cache.get(key))
            span.set_attribute("pointsman.cached", answer is not None)
        return answer

    def _loaded(self, raw: bytes | None) -> EngineAnswer | None:
        return None if raw is None else self._codec.load(raw)


def _slot(raw: bytes | None) -> ConversationSlot | None:
    return None if raw is None else load(raw)


class CacheWriter:
    """Keeps what its delegate answers. The first decision for a key wins."""

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

        An answer that stands in for a failing engine, that found nothing to size or that a prompt
        without a task got is cached for `fallback_ttl` at most: neither an outage nor a "hello"
        decides for a whole conversation. An answer that one caller's short deadline forced is not
        cached at all.
        """
        answer = await self._delegate.decide(query)
        ttl = self._ttl(query, answer)
        if query.key is None or ttl is None:
            return answer
        value = self._codec.dump(answer)
        there = await self._cache.add(query.key, value, ttl=ttl)
        if there is None or there == value:
            return answer
        first = self._codec.load(there)
        is_answer = first is not None and not first.unasked
        if first is not None and is_answer and contains_answer(first, query.candidates):
            # The failures are this request's own: they happened, whoever's decision holds.
            return replace(first, failures=answer.failures)
        # The existing entry is unreadable or no longer valid: replace it.
        await self._cache.put(query.key, value, ttl=ttl)
        return answer

    def _ttl(self, query: EngineQuery, answer: EngineAnswer) -> float | None:
        """Seconds that `answer` is cached for; `None`: not at all."""
        if any(f.stage == CUT_OFF for f in answer.failures):
            return None
        vague = answer.difficulty == NEEDS_INFO
        if vague and query.retention is Retention.TASKS_ONLY:
            return None
        brief = answer.failures or vague or query.retention is Retention.BRIEF
        return self._rules.fallback_ttl if brief else self._rules.ttl
