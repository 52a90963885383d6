"""The benchmark as Markdown, and its curves as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from training.bench import Row

_WIDTH, _HEIGHT, _EDGE = 640, 400, 56
_COLOURS = ("#9aa0a6", "#c58f00", "#7b61c9", "#1a73e8", "#188038", "#d93025", "#e8710a", "#12b5cb")


def number(value: float | None, places: int = 3) -> str:
    """A figure for a table."""
    return "-" if value is None else f"{value:.{places}f}"


def markdown(rows: Sequence[Row], *, title: str) -> str:
    """One table of all rows."""
    lines = [
        f"# {title}",
        "",
        "| test | router | metric | value [95 %] | more |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        span = f" [{number(row.interval[0])}, {number(row.interval[1])}]" if row.interval else ""
        more = ", ".join(f"{name} {number(value)}" for name, value in row.more.items())
        bold = "**" if row.router == "shipped model" else ""
        lines.append(
            f"| {row.test} | {bold}{row.router}{bold} | {row.metric} |"
            f" {bold}{number(row.value)}{bold}{span} | {more} |"
        )
    return "\n".join([*lines, ""])


def plot(rows: Sequence[Row], *, title: str, x_label: str) -> str:
    """The curves of one test: quality over cost, or over the share of strong calls."""
    curves = [(row.router, *row.curve) for row in rows if row.curve]
    xs = [x for _, at, _ in curves for x in at]
    ys = [y for _, _, at in curves for y in at]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)

    def place(x: float, y: float) -> str:
        across = _EDGE + (x - left) / ((right - left) or 1) * (_WIDTH - 2 * _EDGE)
        down = _HEIGHT - _EDGE - (y - low) / ((high - low) or 1) * (_HEIGHT - 2 * _EDGE)
        return f"{across:.1f},{down:.1f}"

    text = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_EDGE}" y="24" {text} font-weight="bold">{title}</text>',
        f'<text x="{_WIDTH // 2}" y="{_HEIGHT - 16}" {text}>{x_label}</text>',
        f'<text x="8" y="{_EDGE}" {text}>{high:.3f}</text>',
        f'<text x="8" y="{_HEIGHT - _EDGE}" {text}>{low:.3f}</text>',
        f'<text x="{_EDGE}" y="{_HEIGHT - _EDGE + 16}" {text}>{left:.3g}</text>',
        f'<text x="{_WIDTH - _EDGE}" y="{_HEIGHT - _EDGE + 16}" {text}>{right:.3g}</text>',
    ]
    for at, (name, across, up) in enumerate(curves):
        colour = _COLOURS[at % len(_COLOURS)]
        points = " ".join(place(x, y) for x, y in zip(across, up, strict=True))
        down = _EDGE + 16 * at
        style = f'{text} fill="{colour}"'
        x, y = _WIDTH - 230, _HEIGHT // 2 + down
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{x}" y="{y}" {style}>{name}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
