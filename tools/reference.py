"""Generates docs/reference from what it describes; with `--check` only tells what is stale."""

from __future__ import annotations

import sys
from pathlib import Path

import contract_reference
import policy_reference
import settings_reference

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
PAGES = {
    "contract.md": contract_reference.page,
    "policy-file.md": policy_reference.page,
    "settings.md": settings_reference.page,
}


def stale() -> list[str]:
    """Pages that differ from what they would be, or are missing, or that nothing generates."""
    fresh = {name: page() for name, page in PAGES.items()}
    there = {p.name: p.read_text(encoding="utf-8") for p in REFERENCE.glob("*.md")}
    return sorted(n for n in fresh.keys() | there.keys() if fresh.get(n) != there.get(n))


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = stale()
        if names:
            sys.exit(f"stale references (run `make reference`): {', '.join(names)}")
    else:
        REFERENCE.mkdir(parents=True, exist_ok=True)
        for name, page in PAGES.items():
            (REFERENCE / name).write_text(page(), encoding="utf-8")
