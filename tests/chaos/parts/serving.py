"""`pointsman serve` as the suite runs it: decisions served, everything logged, quick to recover."""

from __future__ import annotations

from typing import Any

from e2e.parts.pointsman import policy_document

MORPH_TIMEOUT = 0.3


def policy(morph_url: str | None = None, **sections: Any) -> dict[str, Any]:
    """The built-in policy file with `mode: serve`; engine `morph` gives up and comes back soon."""
    document = policy_document(morph_url, mode="serve", serve_percent=100, **sections)
    if morph_url is None:
        document["engines"]["order"] = ["local"]
    document["engines"]["morph"] |= {
        "timeout": f"{round(MORPH_TIMEOUT * 1_000)}ms",
        "breaker": {"failures": 5, "pause": "200ms"},
    }
    return document
