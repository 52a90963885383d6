"""Intervals of 95 %."""

from __future__ import annotations

from typing import Final

Z: Final = 1.959963984540054
"""97.5 % of a standard normal variable lie below."""


def wilson(share: float, *, n: float, z: float = Z) -> tuple[float, float]:
    """The 95 % interval of a share of `n` independent samples (E. B. Wilson, 1927)."""
    middle = share + z * z / (2 * n)
    reach = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    below = 1 + z * z / n
    return max(0.0, (middle - reach) / below), min(1.0, (middle + reach) / below)


def student_t(degrees: int) -> float:
    """97.5 % of Student's t, from 20 degrees of freedom on exact to 0.001.

    Expanded around the normal quantile (Abramowitz and Stegun, 26.7.5).
    """
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    return Z + first / degrees + second / degrees**2
