"""Room for bodies: once it is full, the longest wait makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pointsman_extproc.body_room import BodyRoom, Place


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock) -> BodyRoom:
    return BodyRoom(most_bytes=100, most_requests=4, grace=1.0, clock=clock)


def entered(room: BodyRoom, size: int) -> Place:
    place = room.enter(size)
    assert place is not None
    return place


def test_bytes_and_requests_are_bounded(room: BodyRoom) -> None:
    places = [entered(room, 25) for _ in range(4)]
    assert room.enter(0) is None
    room.leave(places[0])
    assert room.enter(26) is None
    entered(room, 25)


def test_the_longest_wait_makes_room_after_its_grace(room: BodyRoom, clock: Clock) -> None:
    first, second = entered(room, 50), entered(room, 50)
    clock.now += 0.9
    assert room.enter(50) is None
    clock.now += 0.1
    third = entered(room, 50)
    assert [each.evicted.is_set() for each in (first, second, third)] == [True, False, False]
    room.leave(first)  # its request ends; the place is no longer its own
    assert room.enter(51) is None


def test_a_place_whose_body_is_here_stays(room: BodyRoom, clock: Clock) -> None:
    first, second = entered(room, 50), entered(room, 50)
    room.arrived(first)
    clock.now += 60
    entered(room, 50)
    assert second.evicted.is_set()
    assert not first.evicted.is_set()
    assert room.enter(101) is None


def test_several_leave_for_a_long_body(room: BodyRoom, clock: Clock) -> None:
    small = [entered(room, 25) for _ in range(4)]
    clock.now += 1
    entered(room, 60)
    assert [each.evicted.is_set() for each in small] == [True, True, True, False]


def test_nobody_leaves_for_a_body_that_finds_no_room_anyhow(room: BodyRoom, clock: Clock) -> None:
    entered_first = entered(room, 60)
    room.arrived(entered_first)
    waiting = [entered(room, 10) for _ in range(2)]
    clock.now += 1
    young = entered(room, 10)
    assert room.enter(50) is None
    assert not any(each.evicted.is_set() for each in (*waiting, young))
