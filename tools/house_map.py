"""Draw the map of the house: rooms and the imports between them, as an SVG picture.

A room is a package of the server, or another import package. The row of a room is its distance
from the top: rooms import only from rows below. An arrow that follows from others is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import grimp

PACKAGES = (
    "pointsman", "pointsman_server", "pointsman_client", "pointsman_extproc", "pointsman_http",
    "pointsman_litellm",
)  # fmt: skip
SERVER = "pointsman_server"
WIDTH, HEIGHT, GAP, ROW = 76, 34, 6, 92
Imports = Mapping[str, frozenset[str]]

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">
<title>Rooms and the imports between them</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 8 4 0 8z" fill="#57606a"/></marker></defs>
<rect width="{width}" height="{height}" fill="#ffffff"/>
"""  # noqa: E501
_ARROW = '<line x1="{0}" y1="{1}" x2="{2}" y2="{3}" stroke="#57606a" marker-end="url(#tip)"/>\n'
_BOX = (
    '<rect x="{0}" y="{1}" width="{2}" height="{3}" rx="5" fill="{4}" stroke="#57606a"/>\n'
    '<text x="{5}" y="{6}" text-anchor="middle" fill="#1f2328">{7}</text>\n'
)


def picture() -> str:
    """The map of the present code, as SVG."""
    return draw(imports_between_rooms())


def imports_between_rooms() -> Imports:
    """Map each room to the rooms that its modules import."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        importer = room_of(module)
        if importer is None:
            continue
        imported = graph.find_modules_directly_imported_by(module)
        found.setdefault(importer, set()).update(filter(None, map(room_of, imported)))
    return {room: frozenset(others - {room}) for room, others in sorted(found.items())}


def room_of(module: str) -> str | None:
    """Name the room of a module; `None` for the server's root and its entry point."""
    package, *rest = module.split(".")
    if package != SERVER:
        return package
    return rest[0] if rest and rest[0] != "__main__" else None


def rows(imports: Imports) -> dict[str, int]:
    """Map each room to its row: below all that import it, and right above those it imports."""
    depth = dict.fromkeys(imports, 0)
    for _ in imports:
        for room, others in imports.items():
            for other in others:
                depth[other] = max(depth.get(other, 0), depth[room] + 1)
    for _ in imports:
        for room, others in imports.items():
            depth[room] = min((depth[other] for other in others), default=depth[room] + 1) - 1
    return depth


def reduced(imports: Imports) -> list[tuple[str, str]]:
    """The arrows that do not follow from two others."""

    def reachable(room: str) -> frozenset[str]:
        others = imports.get(room, frozenset())
        return others.union(*(reachable(other) for other in others))

    return [
        (room, other)
        for room, others in imports.items()
        for other in sorted(others)
        if not any(other in reachable(between) for between in others - {other})
    ]


def draw(imports: Imports) -> str:
    """Lay the rooms out in rows: the server's on the left, the other packages on the right."""
    depth = rows(imports)
    inside = [room for room in depth if not room.startswith("pointsman")]
    outside = [room for room in depth if room.startswith("pointsman")]
    by_row = {row: sorted(r for r in inside if depth[r] == row) for row in range(max(depth.values()) + 1)}  # fmt: skip  # noqa: E501
    server = max(len(rooms) for rooms in by_row.values()) * (WIDTH + GAP)
    centre: dict[str, tuple[float, float]] = {}
    for row, rooms in by_row.items():
        others = sorted(room for room in outside if depth[room] == row)
        for place, room in enumerate(rooms):
            start = (server - len(rooms) * (WIDTH + GAP)) / 2
            centre[room] = (start + (place + 0.5) * (WIDTH + GAP) + GAP, row * ROW + ROW / 2)
        for place, room in enumerate(others):
            left = server + 1.5 * GAP + (2 - len(others)) * (WIDTH + 40) / 2
            centre[room] = (left + (place + 0.5) * (WIDTH + 40), row * ROW + ROW / 2)
    width, height = server + 2 * (WIDTH + 40) + 3 * GAP, (max(depth.values()) + 1) * ROW
    arrows = "".join(
        _ARROW.format(
            centre[a][0], centre[a][1] + HEIGHT / 2, centre[b][0], centre[b][1] - HEIGHT / 2
        )
        for a, b in reduced(imports)
    )
    return _HEAD.format(width=width, height=height) + arrows + "".join(
        _box(room, *centre[room]) for room in sorted(centre)
    ) + "</svg>\n"  # fmt: skip


def _box(room: str, x: float, y: float) -> str:
    width = WIDTH + (30 if room.startswith("pointsman") else 0)
    colour = "#eaf2ff" if room.startswith("pointsman") else "#f6f8fa"
    corner = (x - width / 2, y - HEIGHT / 2)
    return _BOX.format(*corner, width, HEIGHT, colour, x, y + 4, room)
