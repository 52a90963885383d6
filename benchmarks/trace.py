"""Requests of agent sessions with the shape that was published of one gateway's traffic.

Published (https://github.com/Kilo-Org/cloud/pull/3968): in ten minutes, 14.5 thousand requests
held 4.6 thousand different inputs, since a session sends every API call and its input changes only
with the user's words and the length of the session. 68 % of the requests repeat an input.

Assumed, since nothing is published of it: repeats stay within a conversation, as they must with a
cache that is keyed by it; an input repeats a geometric number of times in a row; a
conversation has a geometric number of inputs, four on average; eight seconds pass on average
between two of its requests, exponentially, but each tenth is sent with the one before.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a trace; times in seconds."""

    requests: int = 14_500
    inputs: int = 4_600
    seconds: float = 600.0
    inputs_per_conversation: float = 4.0
    pause: float = 8.0
    """Between two requests of a conversation, on average."""
    at_once: float = 0.1
    """Share of requests that are sent with the one before them."""

    @property
    def repeated(self) -> float:
        """Share of the requests whose input was there before."""
        return 1 - self.inputs / self.requests


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    at: float
    conversation: int
    input: int
    """Of all conversations: no two share one."""


def make_trace(shape: Shape, *, seed: int) -> list[Ask]:
    """As many requests, inputs and seconds as `shape` says, in order of time."""
    chance = random.Random(seed)
    conversations = max(1, round(shape.inputs / shape.inputs_per_conversation))
    repeats = _parts(shape.requests, shape.inputs, chance)
    asks: list[Ask] = []
    first = 0
    for conversation, inputs in enumerate(_parts(shape.inputs, conversations, chance)):
        asked = [number for number in range(first, first + inputs) for _ in range(repeats[number])]
        first += inputs
        times = _times(len(asked), shape, chance)
        asks += [Ask(at, conversation, each) for at, each in zip(times, asked, strict=True)]
    return sorted(asks, key=lambda ask: ask.at)


def _parts(total: int, parts: int, chance: random.Random) -> list[int]:
    """`total` in as many parts of at least one: geometric numbers, given their sum."""
    cuts = sorted(chance.sample(range(1, total), parts - 1))
    return [after - before for before, after in pairwise([0, *cuts, total])]


def _times(count: int, shape: Shape, chance: random.Random) -> list[float]:
    """When the requests of one conversation are sent; one that takes too long is hurried."""
    pauses = [
        0.0 if chance.random() < shape.at_once else chance.expovariate(1 / shape.pause)
        for _ in range(count - 1)
    ]
    since_start = list(accumulate(pauses, initial=0.0))
    hurry = min(1.0, shape.seconds / since_start[-1]) if since_start[-1] else 1.0
    start = chance.uniform(0.0, max(0.0, shape.seconds - since_start[-1] * hurry))
    return [start + each * hurry for each in since_start]
