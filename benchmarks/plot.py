"""A run's ratios as SVG: a line a bar from the lowest round to the highest, on one scale.

Each is a multiple of its bar, oriented so that values right of the line reach it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.bars import Bar

_WIDTH, _ROW, _TOP, _TEXT = 880, 22, 64, 500
_LEAST, _MOST = 0.25, 4.0
"""The ends of the scale, as multiples of a bar; values beyond are clipped."""
_REACHED, _MISSED = "#188038", "#d93025"


def plot(bars: Sequence[Bar], *, title: str) -> str:
    """One picture of all bars that have a measured value; rows without a bar are left out."""
    rows = [each for each in bars if each.measured is not None and each.bar]
    height = _TOP + _ROW * len(rows) + 24
    text = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="20" {text} font-weight="bold">{escape(title)}</text>',
    ]
    for factor in (0.25, 0.5, 1, 2, 4):
        x, name = _across(factor), "bar" if factor == 1 else f"x{factor:g}"
        colour = "#202124" if factor == 1 else "#dadce0"
        parts += [
            f'<path d="M{x:.1f} {_TOP - 16}V{height - 16}" stroke="{colour}"/>',
            f'<text x="{x:.1f}" y="{_TOP - 22}" {text} text-anchor="middle">{name}</text>',
        ]
    for number, each in enumerate(rows):
        parts += _row(each, _TOP + _ROW * number, text)
    return "\n".join([*parts, "</svg>", ""])


def _row(each: Bar, y: int, text: str) -> list[str]:
    assert each.measured is not None
    assert each.low is not None
    assert each.high is not None
    low, middle, high = (
        _across(_times_better(each, value)) for value in (each.low, each.measured, each.high)
    )
    colour = _REACHED if each.reached else _MISSED
    when = ", another run" if each.run else ""
    label = f"{each.name} {each.what}: {each.measured:.2f} ({each.bar}{when})"
    return [
        f'<text x="12" y="{y + 4}" {text} fill="{colour}">{escape(label)}</text>',
        f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{middle:.1f}" cy="{y}" r="4" fill="{colour}"/>',
    ]


def _times_better(each: Bar, value: float) -> float:
    if value <= 0:
        return _MOST if each.bar.startswith("<=") else _LEAST
    return value / each.limit if each.bar.startswith(">=") else each.limit / value


def _across(factor: float) -> float:
    bounded = min(max(factor, _LEAST), _MOST)
    share = math.log(bounded / _LEAST) / math.log(_MOST / _LEAST)
    return _TEXT + share * (_WIDTH - _TEXT - 24)
