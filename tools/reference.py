"""Generate docs/reference, the OpenAPI document, error codes, the map of the house, a picture.

`--check` only reports stale files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import contract_reference
import decision_picture
import error_codes
import house_map
import openapi
import policy_reference
import settings_reference

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "docs/reference/contract.md": contract_reference.page,
    "docs/reference/openapi.yaml": openapi.page,
    "docs/reference/policy-file.md": policy_reference.page,
    "docs/reference/settings.md": settings_reference.page,
    "docs/images/house.svg": house_map.picture,
    "server/pointsman_server/transport/http/openapi.json": openapi.served,
    "client/pointsman_client/error_kinds/codes.py": error_codes.python,
    "client/go/codes.go": error_codes.go,
    "client/typescript/src/codes.ts": error_codes.typescript,
}
PICTURES = {"docs/images/decision.svg": decision_picture.picture}
"""Written and not compared."""


def stale() -> list[str]:
    """List the files that are missing, out of date, or no longer generated."""
    fresh = {name: generate() for name, generate in FILES.items()}
    there = {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in {*ROOT.glob("docs/reference/*"), *(ROOT / name for name in FILES)}
        if file.exists()
    }
    return sorted(n for n in fresh.keys() | there.keys() if fresh.get(n) != there.get(n))


if __name__ == "__main__":
    if "--check" in sys.argv:
        names = stale()
        if names:
            sys.exit(f"stale references (run `make reference`): {', '.join(names)}")
    else:
        for name, generate in (FILES | PICTURES).items():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(generate(), encoding="utf-8")
