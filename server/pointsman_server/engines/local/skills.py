"""A candidate's skill at each topic, from its catalog entry."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.lib.bounded_map import BoundedMap

_log = logging.getLogger(__name__)

Floats = NDArray[np.floating]

_FLOOR: Final = 0.02
_MOST_KEPT: Final = 4_096

SIZE_SCORE: Final = {"small": 0.55, "medium": 0.68, "large": 0.78, "frontier": 0.86}
"""The overall score that a declared size class stands for: the middle of the MMLU-Pro scores of
models sold under such a name."""

CAPABILITY_SPAN: Final = (0.35, 0.90)
"""The overall scores that a declared capability of 0 and of 1 stand for."""


class Basis(StrEnum):
    """The source of a candidate's skill, best source first."""

    TOPICS = "topic scores"
    SCORE = "score"
    CAPABILITY = "capability"
    SIZE = "size"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Success in logits on each fine topic."""

    logits: Floats
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSkills:
    """The candidates of one query with their skills."""

    candidates: tuple[CatalogModel, ...]
    skills: tuple[Skill, ...]
    chances: Floats
    """candidates x topics: share of successes."""
    measured: bool
    """Whether every candidate's skills are known by topic."""


def logit(share: float) -> float:
    """A share as log odds, clipped away from 0 and 1."""
    share = min(max(share, _FLOOR), 1.0 - _FLOOR)
    return float(np.log(share / (1.0 - share)))


class SkillBook:
    """Skills of catalog models. They are worked out once for each model value."""

    def __init__(self, artefact: Artefact) -> None:
        self._easiness = artefact.easiness
        self._mix = np.array(artefact.meta["score_mix"], np.float32)
        self._groups: dict[str, list[int]] = {}
        for at, topic in enumerate(artefact.meta["topics"]):
            self._groups.setdefault(topic["broad"], []).append(at)
        # A fine topic may have its broad topic's name; then the name means the broad one.
        self._fine = {name: at for at, name in enumerate(artefact.topics)}
        self._kept: BoundedMap[str, tuple[CatalogModel, Skill]] = BoundedMap(_MOST_KEPT)
        self._pools: BoundedMap[tuple[int, ...], CandidateSkills] = BoundedMap(_MOST_KEPT)

    def pool(self, candidates: tuple[CatalogModel, ...]) -> CandidateSkills:
        """The skills of a query's candidates."""
        # Identities are safe keys: a cached entry holds references to its models.
        key = tuple(map(id, candidates))
        return self._pools.get(key) or self._pools.remember(key, self._pool(candidates))

    def _pool(self, candidates: tuple[CatalogModel, ...]) -> CandidateSkills:
        skills = tuple(self._skills(candidates))
        # In single precision, rounding that differs by row would set equal candidates apart.
        logits = np.stack([skill.logits for skill in skills]).astype(np.float64)
        return CandidateSkills(
            candidates=candidates,
            skills=skills,
            chances=1.0 / (1.0 + np.exp(-logits)),
            measured=all(skill.basis is Basis.TOPICS for skill in skills),
        )

    def _skills(self, candidates: Sequence[CatalogModel]) -> list[Skill]:
        """A skill for each candidate; those of which nothing is known get the others' median."""
        found = [self._known(candidate) for candidate in candidates]
        known = [skill.logits for skill in found if skill.basis is not Basis.NONE]
        if not known or len(known) == len(found):
            return found
        middle = Skill(logits=np.median(np.stack(known), axis=0), basis=Basis.NONE)
        return [middle if skill.basis is Basis.NONE else skill for skill in found]

    def _known(self, model: CatalogModel) -> Skill:
        kept = self._kept.get(model.public_id)
        if kept is not None and kept[0] is model:
            return kept[1]
        return self._kept.remember(model.public_id, (model, self._work_out(model)))[1]

    def _work_out(self, model: CatalogModel) -> Skill:
        overall, basis = self._overall(model)
        logits = self._easiness + np.float32(self._ability(overall))
        if not model.topic_scores:
            return Skill(logits=logits, basis=basis)
        given = self._given(model)
        if model.score is None and given:
            # No overall score: the topics that are scored say how able the model is at the rest.
            rest = [value - float(self._easiness[at]) for at, value in given.items()]
            logits = self._easiness + np.float32(sum(rest) / len(rest))
        for at, value in given.items():
            logits[at] = value
        return Skill(logits=logits, basis=Basis.TOPICS if given else basis)

    @staticmethod
    def _overall(model: CatalogModel) -> tuple[float, Basis]:
        if model.score is not None:
            return model.score, Basis.SCORE
        if model.capability is not None:
            low, high = CAPABILITY_SPAN
            return low + (high - low) * model.capability, Basis.CAPABILITY
        if model.size in SIZE_SCORE:
            return SIZE_SCORE[model.size], Basis.SIZE
        return SIZE_SCORE["medium"], Basis.NONE

    def _ability(self, score: float) -> float:
        """The ability at which a model reaches `score` on the benchmark that `score` means."""
        score = min(max(score, _FLOOR), 1.0 - _FLOOR)
        low, high = -12.0, 12.0
        for _ in range(40):
            middle = (low + high) / 2
            reached = float(self._mix @ (1.0 / (1.0 + np.exp(-(middle + self._easiness)))))
            low, high = (middle, high) if reached < score else (low, middle)
        return (low + high) / 2

    def _given(self, model: CatalogModel) -> dict[int, float]:
        """The scored fine topics in logits; a fine score wins over its broad topic's."""
        given: dict[int, float] = {}
        for name, score in model.topic_scores.items():
            members = self._groups.get(name, [])
            if not members and name not in self._fine:
                _log.warning("catalog model %s: no topic is called %r", model.public_id, name)
            if members:
                middle = float(self._easiness[members].mean())
                given |= {at: logit(score) + float(self._easiness[at]) - middle for at in members}
        for name, score in model.topic_scores.items():
            if name in self._fine and name not in self._groups:
                given[self._fine[name]] = logit(score)
        return given
