"""Whether an answer, fresh or kept, belongs to a request."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.core.model import CatalogModel, EngineAnswer


def holds(answer: EngineAnswer, candidates: Sequence[CatalogModel]) -> bool:
    """Whether `answer` names one of this request's candidates."""
    return any(
        m.public_id == answer.model and m.router_id == answer.router_model for m in candidates
    )
