"""One line that tells people why a model was picked. It holds no word of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.engines.local.choice import Scored
from pointsman_server.engines.local.effort_rule import EffortChoice
from pointsman_server.engines.local.labels import NEEDS_INFO, Labels, TopicLabels
from pointsman_server.engines.local.legibility import InputQuality
from pointsman_server.engines.local.outcome_rule import OutcomeChoice
from pointsman_server.engines.local.skills import Basis

_ROUTINE = 2.5
"""The judged effort below which work is called routine."""
_COUNTS = 0.2
"""The probability from which a domain is named. The heavy figures count the others too."""
_LEAST_SHARE = 0.01
_DECLARED = (Basis.CAPABILITY, Basis.SIZE)


class Kept(StrEnum):
    """The reason why a request gets the default model."""

    NEEDS_INFO = "needs_info"
    TURN = "turn"
    NO_WORDS = "no words"


def short(public_id: str) -> str:
    """Give a model's name without its provider and variant."""
    return (public_id.partition("/")[2] or public_id).partition(":")[0]


def explain_default(reason: Kept | InputQuality, *, labels: Labels, default: str) -> str:
    """Explain the choice of the default model."""
    kept = f"keeps the default {short(default)}"
    match reason:
        case Kept.NEEDS_INFO:
            return f"{NEEDS_INFO} {labels.needs_info:.2f}: too open to size; {kept}"
        case Kept.TURN:
            return f"a turn without a task of its own ({labels.turn:.2f}); {kept}"
        case Kept.NO_WORDS:
            return f"no words to size; {kept}"
        case _:
            return f"{reason}: the outcome heads cannot read it; {kept}"


def explain_effort(labels: Labels, choice: EffortChoice) -> str:
    """Explain a choice by effort: effort, the two anchors, the price.

    The heavy figures are mixed by the domain's probabilities, as the choice was made.
    """
    best, chosen = choice.ranked[0], choice.chosen
    kind = "heavy" if choice.heavy else "routine" if choice.judged < _ROUTINE else "moderate"
    size = f"effort {labels.effort:.1f} of 5, taken as {choice.judged:.1f} in case it is harder"
    counting = _counting(labels)
    parts = [f"{size}: {kind} {' or '.join(DOMAINS[at] for at in counting)}"]

    def anchored(scored: Scored) -> str:
        public_id = scored.model.public_id
        anchor = choice.anchors[public_id]
        heavy = anchor.heavy_share(labels.domains)
        return f"{short(public_id)} (routine {anchor.routine:.2f}, heavy {heavy:.2f})"

    if chosen is not best:
        parts.append(
            f"{anchored(chosen)} is within {choice.bound:.3f} of"
            f" {anchored(best)}{_saving(chosen, best)}"
        )
    else:
        rank = "strongest" if choice.heavy else "best"
        parts.append(f"{anchored(best)} is the {rank}{_rejected(choice, anchored)}")
    for public_id, anchor in choice.anchors.items():
        gaps = dict.fromkeys(axis for at in counting for axis in anchor.missing[at])
        if gaps:
            parts.append(f"{short(public_id)} has no {' and '.join(gaps)} figure, counted low")
    return "; ".join([*parts, *_unpriced(choice.ranked)])


def _counting(labels: Labels) -> list[int]:
    """The places of the domains that count, the label's first."""
    first = DOMAINS.index(labels.domain)
    others = (at for at, share in enumerate(labels.domains) if share >= _COUNTS and at != first)
    return [first, *others]


def explain_outcome(topic: TopicLabels, choice: OutcomeChoice, *, loss: float) -> str:
    """Explain a choice by outcomes: the topic, the bound, and the runner-up."""
    ranked, chosen = choice.ranked, choice.chosen
    best = ranked[0]
    parts = [f"topic {topic.topic} {topic.topic_confidence:.2f}"]
    if chosen is not best:
        parts.append(f"{_named(chosen)} >= {_named(best)} - {loss:.2f}{_saving(chosen, best)}")
    else:
        rejected = _cheaper(ranked, than=best)
        if rejected is None:
            parts.append(f"{_named(best)} is the best and nothing within {loss:.2f} is cheaper")
        else:
            parts.append(f"{_named(rejected)} < {_named(best)} - {loss:.2f}")
    unknown = _with_basis(choice, (Basis.NONE,))
    if unknown:
        parts.append(f"skill not known, taken as the median: {unknown}")
    declared = _with_basis(choice, _DECLARED)
    if declared:
        parts.append(f"skill only declared: {declared}")
    return "; ".join([*parts, *_unpriced(ranked)])


def _rejected(choice: EffortChoice, anchored: Callable[[Scored], str]) -> str:
    """Name the best of the cheaper candidates outside the bound."""
    best = choice.ranked[0]
    rejected = _cheaper(choice.ranked, than=best)
    if rejected is None:
        return "" if best.cost is None else " and the cheapest"
    return f"; {anchored(rejected)} falls short{_saving(rejected, best)}"


def _named(scored: Scored) -> str:
    return f"{short(scored.model.public_id)} {scored.quality:.2f}"


def _saving(cheaper: Scored, dearer: Scored) -> str:
    if not dearer.cost or cheaper.cost is None:
        return ""
    share = cheaper.cost / dearer.cost
    return f" at {share:.0%} of its price" if share >= _LEAST_SHARE else " at under 1% of its price"


def _cheaper(ranked: Sequence[Scored], *, than: Scored) -> Scored | None:
    """Find the best of the candidates that cost less."""
    if than.cost is None:
        return None
    for scored in ranked[1:]:
        if scored.cost is not None and scored.cost < than.cost:
            return scored
    return None


def _with_basis(choice: OutcomeChoice, wanted: tuple[Basis, ...]) -> str:
    found: Iterable[str] = (
        short(s.model.public_id) for s in choice.ranked if choice.basis[s.model.public_id] in wanted
    )
    return ", ".join(found)


def _unpriced(ranked: Sequence[Scored]) -> list[str]:
    found = [short(s.model.public_id) for s in ranked if s.cost is None]
    return [f"price not known: {', '.join(found)}"] if found else []
