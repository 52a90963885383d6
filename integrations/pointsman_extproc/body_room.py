"""Room for requests whose bodies are here or on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True, eq=False)
class Place:
    """The place of one request; `evicted` is set once another request has taken it."""

    size: int
    since: float
    evicted: asyncio.Event = field(default_factory=asyncio.Event)


class BodyRoom:
    """Bounds the requests that are held at once, and the bytes of their bodies.

    Envoy asks about a request before its client has sent the body, so a client that sends slowly
    or nothing keeps its place for as long as it likes. Once the room is full, the request that has
    waited longest for its body leaves, after at least `grace` seconds: a burst of requests whose
    bodies are on their way from Envoy must not push itself out.
    """

    def __init__(
        self,
        *,
        most_bytes: int,
        most_requests: int,
        grace: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._most_bytes = most_bytes
        self._most_requests = most_requests
        self._grace = grace
        self._clock = clock
        self._bytes = 0
        self._held: set[Place] = set()
        self._waiting: dict[Place, None] = {}  # in the order of their arrival

    def enter(self, size: int) -> Place | None:
        """Take a place until `leave`; `None` if there is none."""
        leaving = self._leaving(size)
        if leaving is None:
            return None
        for each in leaving:
            self.leave(each)
            each.evicted.set()
        place = Place(size, self._clock())
        self._bytes += size
        self._held.add(place)
        self._waiting[place] = None
        return place

    def arrived(self, place: Place) -> None:
        """Keep the place from now on: its body is here."""
        self._waiting.pop(place, None)

    def leave(self, place: Place) -> None:
        """Give the place back, if it was not taken away."""
        self._waiting.pop(place, None)
        if place in self._held:
            self._held.remove(place)
            self._bytes -= place.size

    def _leaving(self, size: int) -> list[Place] | None:
        """Return the places to take for a new one, the longest waits; `None` if too few can go."""
        missing_bytes = self._bytes + size - self._most_bytes
        missing = len(self._held) + 1 - self._most_requests
        leaving: list[Place] = []
        waiting = iter(self._waiting)
        while missing_bytes > 0 or missing > 0:
            oldest = next(waiting, None)
            if oldest is None or self._clock() - oldest.since < self._grace:
                return None
            leaving.append(oldest)
            missing_bytes -= oldest.size
            missing -= 1
        return leaving
