"""Find errors between sections.

The check runs on the parsed YAML, so that these errors are reported together with those inside
sections, which also cover values of a wrong type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from pointsman_server.core.model import Source
from pointsman_server.core.policy_file import VIRTUAL_PREFIX
from pointsman_server.policies.diagnostics import Diagnostic, meant, named, shown
from pointsman_server.policies.sections.engines import BUILT_IN
from pointsman_server.policies.yaml_tree import mapping_in


def cross_faults(document: object) -> Iterator[Diagnostic]:
    """Find names that another section does not know, and sources that another must give."""
    tiers, catalog = mapping_in(document, "tiers"), mapping_in(document, "catalog")
    yield from _missing_sections(document)
    for name, tier in tiers.items():
        yield from _unknown_candidates(name, tier, tiers=tiers, catalog=catalog)
    for public_id in catalog:
        if public_id in tiers or public_id.startswith(VIRTUAL_PREFIX):
            message = f"is a pseudo-model (a tier, or under `{VIRTUAL_PREFIX}`), not a model"
            yield Diagnostic(("catalog", public_id), message)
    yield from _figures_beyond_their_unit(document)
    yield from _engine_names(document)
    yield from _redis_switches(document)


def _missing_sections(document: object) -> Iterator[Diagnostic]:
    """Find that there is nothing to decide, or nothing to decide between.

    Routes of purposes are a use without tiers; tiers need a catalog.
    """
    if not isinstance(document, Mapping):
        return
    purposes_alone = bool(mapping_in(mapping_in(document, "llm"), "routes")) and (
        "tiers" not in document
    )
    if not purposes_alone:
        for section in ("tiers", "catalog"):
            if section not in document:
                yield Diagnostic((section,), "is required")


def _figures_beyond_their_unit(document: object) -> Iterator[Diagnostic]:
    """Find axis figures in another unit than their benchmark's: per cent, ratings, shares."""
    benchmarks = mapping_in(document, "benchmarks")
    for public_id, model in mapping_in(document, "catalog").items():
        axes = mapping_in(model, "axes")
        given: list[tuple[tuple[str, ...], object]] = [(("routine",), axes.get("routine"))]
        given += [(("heavy", axis), figure) for axis, figure in mapping_in(axes, "heavy").items()]
        for path, figure in given:
            axis = path[-1]
            unit = mapping_in(benchmarks, axis).get("unit", "share")
            if _above_one(figure) and unit == "share":
                message = f"must be a share from 0 to 1, unless `benchmarks.{axis}.unit` is `elo`"
                yield Diagnostic(("catalog", public_id, "axes", *path), message)
            elif _is_number(figure) and not _above_one(figure) and unit == "elo":
                message = f"must be a rating, not a share: `benchmarks.{axis}.unit` is `elo`"
                yield Diagnostic(("catalog", public_id, "axes", *path), message)


def _above_one(figure: object) -> bool:
    return _is_number(figure) and figure > 1


def _is_number(figure: object) -> TypeGuard[float]:
    return isinstance(figure, int | float) and not isinstance(figure, bool)


def _unknown_candidates(
    name: str, tier: object, *, tiers: Mapping[str, object], catalog: Mapping[str, object]
) -> Iterator[Diagnostic]:
    candidates = tier.get("candidates") if isinstance(tier, dict) else None
    for at, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
        if not isinstance(candidate, str) or candidate in catalog:
            continue
        path = ("tiers", name, "candidates", at)
        if candidate in tiers or candidate.startswith(VIRTUAL_PREFIX):
            yield Diagnostic(path, f"`{shown(candidate)}` is a pseudo-model, not a model")
        elif catalog:
            hint = meant(candidate, catalog)
            yield Diagnostic(path, f"`{shown(candidate)}` is not in the catalog{hint}")


def _engine_names(document: object) -> Iterator[Diagnostic]:
    engines = mapping_in(document, "engines")
    models = mapping_in(engines, "decision_models")
    for name in models:
        if name in BUILT_IN:
            message = "is the name of a built-in engine; choose another"
            yield Diagnostic(("engines", "decision_models", name), message)
    known = (*BUILT_IN, *models)
    order = engines.get("order")
    for at, name in enumerate(order if isinstance(order, list) else ()):
        if isinstance(name, str) and name not in known:
            yield Diagnostic(("engines", "order", at), _unknown_engine(name, known))
    classifier = mapping_in(document, "classification").get("engine", Source.LOCAL.value)
    labelling = (Source.LOCAL.value, *models)
    if isinstance(classifier, str) and classifier not in labelling:
        yield Diagnostic(("classification", "engine"), _unknown_engine(classifier, labelling))


def _unknown_engine(name: str, known: Sequence[str]) -> str:
    return f"must be one of {named(known)}{meant(name, known)}"


def _redis_switches(document: object) -> Iterator[Diagnostic]:
    sources = mapping_in(document, "flags").get("sources")
    url = mapping_in(document, "cache").get("url", "memory://")
    # Nobody but the cache says which server it is.
    if isinstance(sources, list) and "redis" in sources and str(url).startswith("memory:"):
        message = "names `redis`, which is the server of `cache.url`; that is in this process"
        yield Diagnostic(("flags", "sources"), message)
