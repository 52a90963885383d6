"""The slot of a conversation: its current models, independent of candidates and static pick.

One small value a conversation, in the cache that holds decisions. It is written when it changes,
and again after half of its lifetime, so that an active conversation retains it.
"""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

from pointsman_server.core.effort import is_hardest
from pointsman_server.core.model import EngineAnswer, Source
from pointsman_server.core.value import value

HEAD = 6
"""Bytes before the slot's models: the moment (4), the effort (1), the engine (1). The highest bit
of the effort says whether the model was compared."""

EFFORT_AT = 4
"""The index of the effort's byte."""
_TENTHS = 10
"""Steps of an effort in that byte."""
_COMPARED = 0x80
UNWEIGHED_HARD = frozenset(n for n in range(1, _COMPARED) if is_hardest(n / _TENTHS))
"""Values of that byte of a conversation whose model was chosen for a hard task, and never compared.
"""

_HEAD = Struct(">IBB")
_SEPARATOR = "\x1f"
_SOURCES = tuple(Source)
_MOMENTS = 16


@value(kw_only=True)
class ConversationSlot:
    """The current models of a conversation."""

    served: str = ""
    """Public id of the model that was served last, static picks included. Outside the catalog:
    the provider and a slash, or a slash alone where the catalog has no such provider."""
    routed: str = ""
    """Public id of the model that was decided for last; empty: nothing was decided yet."""
    router_model: str = ""
    effort: float | None = None
    """The effort that the routed model was chosen for, 1 to 5."""
    source: Source = Source.LOCAL
    """The engine that chose it."""
    compared: bool = False
    """Whether an engine's answer, a cached one too, was weighed against a model of this
    conversation since its first decision. One that stands in for a failed engine does not count."""
    time: int = 0
    """When it was written, in seconds since the epoch."""

    @property
    def is_unweighed_hard(self) -> bool:
        """Whether the model was chosen for a hard task, and nothing was compared with it yet."""
        return not self.compared and is_hardest(self.effort)

    @property
    def models(self) -> bytes:
        """The models as they stand in the slot's bytes, behind `HEAD`."""
        return _SEPARATOR.join((self.served, self.routed, self.router_model)).encode()

    def serving(self, model: str) -> ConversationSlot:
        """The slot after `model` was served."""
        return self if model == self.served else replace(self, served=model)

    def routed_to(
        self, answer: EngineAnswer, *, effort: float | None, compared: bool
    ) -> ConversationSlot:
        """The slot after the conversation went to, or stays on, the model of `answer`."""
        stays = (answer.model, answer.router_model) == (self.routed, self.router_model)
        return replace(
            self,
            routed=answer.model,
            router_model=answer.router_model,
            effort=effort,
            source=self.source if stays else answer.source,
            compared=compared,
        )

    def same(self, other: ConversationSlot | None) -> bool:
        """Whether nothing differs but the time."""
        return other is not None and replace(self, time=0) == replace(other, time=0)


EMPTY_SLOT = ConversationSlot()


def dump(slot: ConversationSlot) -> bytes:
    """`slot` as bytes; the effort keeps one step of 0.1."""
    effort = 0 if slot.effort is None else round(slot.effort * _TENTHS)
    effort |= _COMPARED * slot.compared
    return _HEAD.pack(slot.time, effort, _SOURCES.index(slot.source)) + slot.models


def load(raw: bytes) -> ConversationSlot | None:
    """The slot if `raw` is one, else `None`."""
    if len(raw) < HEAD:
        return None
    time, effort, source = _HEAD.unpack_from(raw)
    try:
        served, routed, router_model = raw[HEAD:].decode().split(_SEPARATOR)
    except ValueError:
        return None
    if source >= len(_SOURCES):
        return None
    compared, effort = bool(effort & _COMPARED), effort & ~_COMPARED
    return ConversationSlot(
        served=served,
        routed=routed,
        router_model=router_model,
        effort=effort / _TENTHS if effort else None,
        source=_SOURCES[source],
        compared=compared,
        time=time,
    )


def ageing_after(ttl: float) -> float:
    """Seconds after which a slot is written again, so that it outlives its `ttl`."""
    return ttl / 2 + moment_of(ttl)


def moment_of(ttl: float) -> int:
    """Seconds between two times of slots: those that are alike then are stored once."""
    return max(1, int(ttl / _MOMENTS))


def stamped(slot: ConversationSlot, *, now: float, ttl: float) -> ConversationSlot:
    """`slot` with the time of its writing."""
    moment = moment_of(ttl)
    return replace(slot, time=int(now) // moment * moment)
