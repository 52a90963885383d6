"""Generate docs/reference and the map of the house; `--check` only reports stale files."""

from __future__ import annotations

import sys
from pathlib import Path

import contract_reference
import house_map
import policy_reference
import settings_reference

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILES = {
    "reference/contract.md": contract_reference.page,
    "reference/policy-file.md": policy_reference.page,
    "reference/settings.md": settings_reference.page,
    "images/house.svg": house_map.picture,
}


def stale() -> list[str]:
    """List the files that are missing, out of date, or no longer generated."""
    fresh = {name: generate() for name, generate in FILES.items()}
    there = {
        file.relative_to(DOCS).as_posix(): file.read_text(encoding="utf-8")
        for file in [*DOCS.glob("reference/*.md"), DOCS / "images" / "house.svg"]
        if file.exists()
    }
    return sorted(n for n in fresh.keys() | there.keys() if fresh.get(n) != there.get(n))


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = stale()
        if names:
            sys.exit(f"stale references (run `make reference`): {', '.join(names)}")
    else:
        for name, generate in FILES.items():
            (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / name).write_text(generate(), encoding="utf-8")
