"""Work beside an event loop: no step of it is as long as the whole."""

from __future__ import annotations

import gc
from collections import deque

from pointsman_server.lib.background_work import collector_paused, in_background, release


class Piece:
    """Notes when it is freed."""

    def __init__(self, name: str, freed: list[str], *, holds: tuple[Piece, ...] = ()) -> None:
        self.holds = holds
        self._name, self._freed = name, freed

    def __del__(self) -> None:
        self._freed.append(self._name)


def test_a_piece_is_freed_while_those_that_it_holds_are_still_held() -> None:
    freed: list[str] = []
    inner = [Piece(name, freed) for name in ("a", "b")]
    pieces: deque[object] = deque([*inner, Piece("outer", freed, holds=tuple(inner))])
    inner.clear()
    release(pieces)
    assert freed == ["outer", "b", "a"]


async def test_the_collector_pauses_until_the_outermost_work_is_done() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert await in_background(gc.isenabled) is False
        assert not gc.isenabled()
    assert gc.isenabled()
