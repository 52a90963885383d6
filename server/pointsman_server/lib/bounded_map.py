"""A dictionary with a bound on its entries."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedMap(dict[K, V]):
    """A dictionary that `remember` keeps at `most` entries; the oldest one makes room.

    Reading it is reading a dictionary, at the same cost.
    """

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def remember(self, key: K, value: V) -> V:
        """Set `key`, and drop the entry added first where there are too many. Returns `value`."""
        if len(self) >= self._most and key not in self:
            # Another thread may have dropped the same one.
            self.pop(next(iter(self)), None)
        self[key] = value
        return value
