"""An answer for people: aligned lines, without colours, that also read well in a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pointsman_client.cli.hints import dropped_text, reason_text
from pointsman_client.results import Classification, Decision, DroppedCandidate, RouteResult

_NEARLY = 0.99
"""Above it, a share would be rounded to a certainty that no engine has."""

_Row = tuple[str, str]


def render(result: RouteResult, *, static_pick: str | None) -> str:
    """The whole answer, a line a fact, then ranking, dropped candidates and failures."""
    decision = result.decision
    sections = [
        _aligned(_head(result, static_pick=static_pick)),
        _aligned(_decided(decision)) if decision else "",
        _aligned(_classified(result.classification)) if result.classification else "",
        _ranking(decision) if decision else "",
        _listed("dropped", rows=[(d.model, dropped_text(d.reason)) for d in _dropped(result)]),
        _listed("failed", rows=[(f.engine, f.stage) for f in result.failures]),
        _aligned([("decision id", result.decision_id), ("policy file", result.policy_version)]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(result: RouteResult, *, static_pick: str | None) -> Iterator[_Row]:
    yield "serve", result.serve_model or "- (nothing to serve)"
    yield "static pick", static_pick or "-"
    if result.decision:
        note = " (shadow: recorded, not served)" if result.shadow else ""
        yield "decided", result.decision.model + note
    yield "outcome", f"{result.outcome}: {result.reason}" if result.reason else str(result.outcome)
    if result.reason and (explained := reason_text(result.reason)):
        yield "because", explained


def _decided(decision: Decision) -> Iterator[_Row]:
    yield "source", decision.source.value
    yield "policy", decision.policy
    yield "difficulty", _sure(decision.difficulty, confidence=decision.confidence)
    if decision.effort is not None:
        yield "effort", f"{decision.effort:.1f} of 5"
    yield "ambiguity", _sure(decision.ambiguity, confidence=decision.ambiguity_confidence)
    yield "domain", _sure(decision.domain, confidence=decision.domain_confidence)
    yield "cached", "yes" if decision.cached else "no"
    yield "sticky", "yes" if decision.sticky else "no"
    if decision.switch_reason:
        yield "switched", decision.switch_reason.value
    if decision.conversation_source:
        yield "conversation", f"by {decision.conversation_source}"
    yield "candidates", str(decision.candidate_count)
    if decision.fallback_models:
        yield "then try", ", ".join(decision.fallback_models)
    yield "why", decision.explanation or "-"


def _classified(classification: Classification) -> Iterator[_Row]:
    yield "classified", ""
    for name in ("difficulty", "ambiguity", "domain"):
        head = getattr(classification, name)
        if head is not None:
            doubt = "" if head.meets_threshold else " (too unsure to act on)"
            yield f"  {name}", _sure(head.label, confidence=head.confidence) + doubt


def _ranking(decision: Decision) -> str:
    if not decision.ranking:
        return ""
    width = max(len(each.model) for each in decision.ranking)
    lines = [f"{'ranking':<{width + 2}}  score  cost in USD"]
    for each in decision.ranking:
        score = "    -" if each.score is None else f"{each.score:5.2f}"
        cost = "-" if each.estimated_cost is None else f"{each.estimated_cost:.6f}"
        lines.append(f"  {each.model:<{width}}  {score}  {cost:>11}")
    return "\n".join(lines)


def _dropped(result: RouteResult) -> tuple[DroppedCandidate, ...]:
    return result.decision.dropped if result.decision else result.dropped


def _listed(title: str, *, rows: list[_Row]) -> str:
    return f"{title}\n{_aligned((f'  {left}', right) for left, right in rows)}" if rows else ""


def _sure(label: str | None, *, confidence: float | None) -> str:
    if label is None:
        return "-"
    if confidence is None:
        return label
    share = f"{confidence:.0%}" if confidence <= _NEARLY else f">{_NEARLY:.0%}"
    return f"{label} ({share} sure)"


def _aligned(rows: Iterable[_Row]) -> str:
    listed = [row for row in rows if row[0]]
    width = max((len(left) for left, _ in listed), default=0)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in listed)
