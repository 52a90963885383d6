"""One line for people on why a model was picked. It never holds a word of the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.engines.local.choice import Scored
from pointsman_server.engines.local.labels import NEEDS_INFO, Labels
from pointsman_server.engines.local.legibility import InputQuality
from pointsman_server.engines.local.skills import Basis

_DECLARED = (Basis.CAPABILITY, Basis.SIZE)


def short(public_id: str) -> str:
    """A model's name without its provider."""
    return public_id.partition("/")[2] or public_id


def explain_default(labels: Labels, *, legibility: InputQuality, default: str) -> str:
    """Why the default model was kept."""
    if legibility is not InputQuality.CLEAR:
        return f"prompt is {legibility}: nothing to size it by; default {short(default)}"
    return f"{NEEDS_INFO} {labels.needs_info:.2f}: too open to size; default {short(default)}"


def explain_choice(labels: Labels, *, ranked: Sequence[Scored], chosen: Scored, loss: float) -> str:
    """Why `chosen`: the topic, the bound, and the candidate that it was decided against."""
    best = ranked[0]
    parts = [f"topic {labels.topic} {labels.topic_confidence:.2f}"]
    if chosen is not best:
        parts.append(f"{_named(chosen)} >= {_named(best)} - {loss:.2f}{_saving(chosen, best)}")
    else:
        rejected = _cheaper(ranked, than=best)
        if rejected is None:
            parts.append(f"{_named(best)} is the best and nothing within {loss:.2f} is cheaper")
        else:
            parts.append(f"{_named(rejected)} < {_named(best)} - {loss:.2f}")
    unknown = [short(s.model.public_id) for s in ranked if s.skill.basis is Basis.NONE]
    if unknown:
        parts.append(f"skill not known, taken as the median: {', '.join(unknown)}")
    declared = [short(s.model.public_id) for s in ranked if s.skill.basis in _DECLARED]
    if declared:
        parts.append(f"skill only declared: {', '.join(declared)}")
    unpriced = [short(s.model.public_id) for s in ranked if s.cost is None]
    if unpriced:
        parts.append(f"price not known: {', '.join(unpriced)}")
    return "; ".join(parts)


def _named(scored: Scored) -> str:
    return f"{short(scored.model.public_id)} {scored.quality:.2f}"


def _saving(chosen: Scored, best: Scored) -> str:
    if not best.cost or chosen.cost is None:
        return ""
    return f" at {chosen.cost / best.cost:.2f} of its cost"


def _cheaper(ranked: Sequence[Scored], *, than: Scored) -> Scored | None:
    """The best of the candidates that cost less: the one that the bound kept out."""
    if than.cost is None:
        return None
    for scored in ranked[1:]:
        if scored.cost is not None and scored.cost < than.cost:
            return scored
    return None
