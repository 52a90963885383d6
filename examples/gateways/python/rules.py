"""The gateway's static rule table.

The gateway calls Pointsman for the tiers in it, and the table is the fallback.
"""

from __future__ import annotations

from dataclasses import dataclass

TIER_PREFIX = "kilo-auto/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One pseudo-model that users may ask for."""

    candidates: tuple[str, ...]
    """The models that may serve it, best first."""
    planning: str
    """This gateway's own pick for a client that is planning."""
    otherwise: str
    """Its pick for every other client."""

    def pick(self, mode: str | None) -> str:
        """The gateway's own choice for a client in this mode."""
        return self.planning if (mode or "").lower() in {"plan", "architect"} else self.otherwise


TIERS = {
    "kilo-auto/frontier": Tier(
        candidates=(
            "anthropic/claude-opus-4.8",
            "anthropic/claude-sonnet-4.6",
            "openai/gpt-5.5",
            "google/gemini-3.1-pro-preview",
        ),
        planning="anthropic/claude-opus-4.8",
        otherwise="anthropic/claude-sonnet-4.6",
    ),
    "kilo-auto/balanced": Tier(
        candidates=(
            "anthropic/claude-haiku-4.5",
            "google/gemini-3.5-flash",
            "deepseek/deepseek-v4-pro:discounted",
        ),
        planning="google/gemini-3.5-flash",
        otherwise="anthropic/claude-haiku-4.5",
    ),
}


def tier_name(model: str) -> str | None:
    """The tier that a requested model names, in lower case; `None` for a concrete model."""
    name = model.strip().lower()
    return name if name.startswith(TIER_PREFIX) else None
