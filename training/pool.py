"""All outcomes of several sets as one table, and which of its rows are fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.heads import Floats
from training.samples import Samples, calibrates
from training.sources import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All outcomes of the training sets as one table."""

    names: list[str]
    """The set of each prompt."""
    texts: list[str]
    topics: list[str | None]
    models: list[str]
    results: Floats


def pool(tables: dict[str, Outcomes], topics: dict[str, list[str | None]]) -> Pool:
    """One table of several sets; models that several sets know share a column."""
    models: list[str] = []
    for table in tables.values():
        models += [name for name in table.models if name not in models]
    results = np.full((sum(len(t) for t in tables.values()), len(models)), np.nan)
    at = 0
    for table in tables.values():
        columns = [models.index(name) for name in table.models]
        results[at : at + len(table), columns] = table.results
        at += len(table)
    return Pool(
        names=[name for name, table in tables.items() for _ in table.texts],
        texts=[text for table in tables.values() for text in table.texts],
        topics=[topic for name in tables for topic in topics[name]],
        models=models,
        results=results,
    )


def prompt_weights(results: Floats) -> Floats:
    """A prompt that many models answered tells more, but not as many times more."""
    weights = 1.0 / np.sqrt((~np.isnan(results)).sum(axis=1))
    scaled: Floats = weights / weights.mean()
    return scaled


def fitting(samples: Samples) -> tuple[dict[str, Outcomes], dict[str, list[str | None]]]:
    """The training tables without the rows that calibrate."""
    tables, topics = {}, {}
    for name, table in samples.train.items():
        mask = np.array([not calibrates(key) for key in table.stems])
        tables[name] = table.keep(mask)
        topics[name] = [t for t, kept in zip(samples.topics[name], mask, strict=True) if kept]
    return tables, topics
