"""Counts per name, for a bounded number of names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Generic, TypeVar

DIFFERENT: Final = 1_000
K = TypeVar("K")


class Tally(Generic[K]):
    """Adds up amounts by key. From `DIFFERENT` keys on, new ones are counted together."""

    __slots__ = ("_amounts", "others")

    def __init__(self) -> None:
        self._amounts: dict[K, float] = {}
        self.others = 0.0
        """The count of all further names."""

    def add(self, key: K, amount: float = 1) -> None:
        """Count `amount` under `key`."""
        if key in self._amounts or len(self._amounts) < DIFFERENT:
            self._amounts[key] = self._amounts.get(key, 0.0) + amount
        else:
            self.others += amount

    def merge(self, other: Tally[K]) -> None:
        """Add all that `other` counted."""
        for key, amount in other._amounts.items():
            self.add(key, amount)
        self.others += other.others

    @property
    def total(self) -> float:
        """The sum of all amounts."""
        return sum(self._amounts.values()) + self.others

    def ranked(self) -> Mapping[K, float]:
        """Amounts by key, the largest first, equals by key."""
        order = sorted(self._amounts.items(), key=lambda item: (-item[1], str(item[0])))
        return MappingProxyType(dict(order))
