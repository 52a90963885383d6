"""The effort rule: the harder the request, the less quality is given up for a lower price.

logit q_m = (1 - w) logit(routine_m) + w logit(heavy_m), with the heavy anchor of the request's
domain and w from 0 (routine) to 1 (an expert's work). The cheapest candidate wins whose q is within
the bound of the best one's. Two things make it cautious: w is taken at an upper quantile of
the effort distribution, so that an unsure reader counts as a harder request, and the policy's bound
shrinks to nothing as w grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul
from typing import Final

from pointsman_server.core.anchored_quality import HEAVY, effort_bound, effort_weight
from pointsman_server.core.model import EngineQuery
from pointsman_server.core.value import value
from pointsman_server.engines.local.anchors import Anchor, AnchorBook
from pointsman_server.engines.local.choice import Scored, best_first, choose, expected_cost
from pointsman_server.engines.local.readers import RequestEstimate

CAUTION: Final = 0.90
"""The share of the effort distribution that lies below the effort that is judged: work is judged to
be heavy from a probability of 1 - `CAUTION` on."""
OUTPUT_TOKENS: Final = (150.0, 350.0, 900.0, 2_200.0, 5_000.0)
"""Assumed length of an answer for efforts 1 to 5, in tokens: an estimate, not a measurement.
Candidates' costs are compared under the same lengths."""


@value(kw_only=True)
class EffortChoice:
    """The rule's decision with all its inputs."""

    ranked: tuple[Scored, ...]
    """Best first."""
    chosen: Scored
    judged: float
    """The effort that was judged: the cautious end of the estimate, 1..5."""
    bound: float
    """The quality that was allowed to be given up."""
    anchors: Mapping[str, Anchor]
    """By public id."""

    @property
    def heavy(self) -> bool:
        """Whether the request was judged to be heavy work."""
        return self.judged >= HEAVY


class EffortRule:
    """Picks by effort among candidates with anchors."""

    def __init__(self) -> None:
        self._book = AnchorBook()

    def decide(self, query: EngineQuery, estimate: RequestEstimate, *, loss: float) -> EffortChoice:
        """Pick one of the query's candidates. `loss` is the policy's bound for routine work."""
        judged = min(max(estimate.effort_quantile(CAUTION), 1.0), 5.0)
        weight = effort_weight(judged)
        bound = effort_bound(loss, policy=query.policy, effort=judged)
        pool = self._book.pool(query.candidates)
        tokens = output_tokens(estimate)
        domains, chars = estimate.domains, len(query.prompt)
        scored = [
            Scored(
                model=model,
                quality=anchor.quality(domains=domains, weight=weight),
                cost=expected_cost(model, chars=chars, output_tokens=tokens),
            )
            for model, anchor in zip(pool.candidates, pool.anchors, strict=True)
        ]
        ranked = tuple(best_first(scored))
        return EffortChoice(
            ranked=ranked,
            chosen=choose(ranked, loss=bound),
            judged=judged,
            bound=bound,
            anchors=pool.by_id,
        )


def output_tokens(estimate: RequestEstimate) -> float:
    """Give the expected length of the answer; it grows with the effort."""
    expected: float = sum(map(mul, estimate.effort, OUTPUT_TOKENS))
    return expected
