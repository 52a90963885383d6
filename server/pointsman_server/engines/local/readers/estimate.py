"""The estimate that a reader makes of one request, and the port that every reader implements."""

from __future__ import annotations

from typing import Final, Protocol

from pointsman_server.core.value import value

DIFFICULTIES: Final = ("easy", "medium", "hard")
"""Easy is effort 1 and 2, medium is 3, hard is 4 and 5."""


@value(kw_only=True)
class RequestEstimate:
    """Effort, domain and kind of one request. Every probability is calibrated, 0..1.

    Labels rest on thresholds of the artefact rather than on the largest probability: hard requests
    are rare in traffic, and the largest probability would hardly ever name one.
    """

    effort: tuple[float, float, float, float, float]
    """Probability of each effort, 1 (any model is right) to 5 (the best models often fail)."""
    difficulty: str
    """One of `DIFFICULTIES`."""
    difficulty_confidence: float
    """Probability that `difficulty` is right."""
    domains: tuple[float, ...]
    """Probability of each of `core.engine_rules.DOMAINS`."""
    domain: str
    """The most probable domain."""
    domain_confidence: float
    """Probability that `domain` is right."""
    needs_info: float
    """Probability that nobody can size the request without asking first."""
    turn: float
    """Probability that the request only continues or confirms something ("yes", "go on")."""

    @property
    def expected_effort(self) -> float:
        """Mean of the distribution, 1..5."""
        one, two, three, four, five = self.effort
        return one + 2 * two + 3 * three + 4 * four + 5 * five

    @property
    def difficulties(self) -> tuple[float, float, float]:
        """Probability of each of `DIFFICULTIES`."""
        one, two, three, four, five = self.effort
        return one + two, three, four + five

    def effort_quantile(self, share: float) -> float:
        """The effort, 0.5..5.5, below which `share` of the distribution lies.

        Each level is spread evenly over half a level to both sides.
        """
        below = 0.0
        for level, chance in enumerate(self.effort, 1):
            if chance > 0.0 and below + chance >= share:
                return level - 0.5 + (share - below) / chance
            below += chance
        return len(self.effort) + 0.5


class RequestReader(Protocol):
    """Estimates requests. Implementations: default, semantic, and the cascade of both."""

    @property
    def version(self) -> str:
        """Identifies the weights that an estimate can be traced back to."""
        ...

    def read(self, text: str) -> RequestEstimate:
        """Estimate `text`: any string, of any length and language."""
        ...

    async def read_async(self, text: str, *, by: float | None = None) -> RequestEstimate:
        """Estimate `text` without holding up the event loop for longer than the default reader.

        `by` is when the estimate is needed, on the monotonic clock.
        """
        ...
