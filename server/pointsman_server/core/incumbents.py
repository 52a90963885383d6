"""The decision that each conversation is on, kept beside the cached ones."""

from __future__ import annotations

from pointsman_server.core.keys import Keys
from pointsman_server.core.model import EngineAnswer
from pointsman_server.core.ports import AnswerCodec, DecisionCache


class ConversationModels:
    """Reads and writes one slot a conversation. A slot survives a change of fingerprint."""

    def __init__(self, cache: DecisionCache, *, codec: AnswerCodec, keys: Keys, ttl: float) -> None:
        self._cache = cache
        self._codec = codec
        self._keys = keys
        self._ttl = ttl

    async def get(self, conversation: bytes, *, served: bool) -> EngineAnswer | None:
        """The answer that put the conversation on its model: its source, and the model's names.

        `served` keeps what was served apart from what was only recorded in shadow mode: a model
        that never saw the conversation holds none of its state.
        """
        return await self._get(self._keys.incumbent(conversation, served=served))

    async def put(self, conversation: bytes, answer: EngineAnswer, *, served: bool) -> None:
        """Note that the conversation is on `answer.model`."""
        await self._put(self._keys.incumbent(conversation, served=served), answer)

    async def replace(
        self, conversation: bytes, answer: EngineAnswer, *, served: bool
    ) -> EngineAnswer | None:
        """Note that the conversation is on `answer.model`; what `get` would have said before."""
        slot = self._keys.incumbent(conversation, served=served)
        before = await self._get(slot)
        await self._put(slot, answer)
        return before

    async def _get(self, slot: bytes) -> EngineAnswer | None:
        raw = await self._cache.get(slot)
        return self._codec.load(raw) if raw is not None else None

    async def _put(self, slot: bytes, answer: EngineAnswer) -> None:
        # Of no matter for what comes next, and most of it: why, how sure, and how others ranked.
        bare = EngineAnswer(
            source=answer.source, model=answer.model, router_model=answer.router_model
        )
        await self._cache.put(slot, self._codec.dump(bare), ttl=self._ttl)
