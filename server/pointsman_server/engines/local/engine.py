"""Engine `local`: reads the prompt in this process and picks from the query's candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    Classification,
    EngineAnswer,
    EngineFailure,
    EngineQuery,
    Head,
    RankedModel,
    Source,
)
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import artefact as files
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.choice import (
    Scored,
    best_first,
    choose,
    expected_cost,
    predicted_quality,
)
from pointsman_server.engines.local.explanation import explain_choice, explain_default
from pointsman_server.engines.local.labels import NEEDS_INFO, Labeller, Labels
from pointsman_server.engines.local.legibility import InputQuality
from pointsman_server.engines.local.reading import Reader, TextScores
from pointsman_server.engines.local.skills import SkillBook

NAME: Final = "local"

DOMAIN_SKILLS: Final = "domain_skills"
"""The policy that goes by the topics' success rates alone, without the text's difficulty."""

_MEETS: Final = {"difficulty": 0.5, "ambiguity": 0.5, "domain": 0.6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All that the engine knows after one prompt."""

    reading: TextScores
    labels: Labels
    ranked: tuple[Scored, ...]
    chosen: Scored
    explanation: str


class LocalEngine:
    """Decides without network, key or memory of prompts; about 0.2 ms for a hundred words.

    It is a `DecisionEngine` and a `Classifier`. Nothing in it is awaited and nothing changes after
    it was built but the skills it has worked out for the catalog's models.
    """

    def __init__(self, artefact: Artefact, *, rules: LocalRules) -> None:
        self.version = artefact.version
        self._rules = rules
        self._output_tokens = artefact.output_tokens
        self._reader = Reader(artefact)
        self._labeller = Labeller(artefact, needs_info_threshold=rules.needs_info_threshold)
        self._skills = SkillBook(artefact)

    @classmethod
    def load(cls, rules: LocalRules, *, artefact: Path | None = None) -> LocalEngine:
        """Build the engine from a file, or from the one in the wheel. Raises `ArtefactInvalid`."""
        return cls(files.load(artefact), rules=rules)

    def read(self, prompt: str) -> tuple[TextScores, Labels]:
        """What the heads say of `prompt`: any string, of any length."""
        reading = self._reader.read(prompt)
        return reading, self._labeller.label(reading)

    def judge(self, query: EngineQuery) -> Verdict:
        """Decide, and keep everything that the decision was made of. Raises `EngineFailed`."""
        loss = self._rules.quality_loss.get(query.policy)
        if loss is None:
            raise EngineFailed(EngineFailure(engine=NAME, stage="unexpected_error"))
        reading, labels = self.read(query.prompt)
        ranked = tuple(best_first(self._scored(query, reading)))
        legibility = reading.legibility
        if legibility is not InputQuality.CLEAR or labels.difficulty == NEEDS_INFO:
            default = query.default
            chosen = next((s for s in ranked if s.model is default), ranked[0])
            why = explain_default(labels, legibility=legibility, default=chosen.model.public_id)
        else:
            chosen = choose(ranked, loss=loss)
            why = explain_choice(labels, ranked=ranked, chosen=chosen, loss=loss)
        return Verdict(
            reading=reading, labels=labels, ranked=ranked, chosen=chosen, explanation=why
        )

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Pick one of the query's candidates. Raises `EngineFailed` for a policy without bound."""
        verdict = self.judge(query)
        labels, model = verdict.labels, verdict.chosen.model
        return EngineAnswer(
            source=Source.LOCAL,
            model=model.public_id,
            router_model=model.router_id or model.public_id,
            difficulty=labels.difficulty,
            confidence=labels.confidence,
            ambiguity=labels.ambiguity,
            ambiguity_confidence=labels.ambiguity_confidence,
            domain=labels.domain,
            domain_confidence=labels.domain_confidence,
            ranking=tuple(
                RankedModel(model=s.model.public_id, score=s.quality, estimated_cost=s.cost)
                for s in verdict.ranked
            ),
            explanation=verdict.explanation,
        )

    async def classify(self, prompt: str) -> Classification:
        """Label `prompt`."""
        _, labels = self.read(prompt)

        def head(name: str, label: str, confidence: float) -> Head:
            return Head(
                label=label, confidence=confidence, meets_threshold=confidence >= _MEETS[name]
            )

        return Classification(
            difficulty=head("difficulty", labels.difficulty, labels.confidence),
            ambiguity=head("ambiguity", labels.ambiguity, labels.ambiguity_confidence),
            domain=head("domain", labels.domain, labels.domain_confidence),
        )

    def _scored(self, query: EngineQuery, reading: TextScores) -> list[Scored]:
        squad = self._skills.squad(query.candidates)
        qualities = predicted_quality(reading, squad, with_difficulty=query.policy != DOMAIN_SKILLS)
        tokens = float(reading.topics @ self._output_tokens)
        return [
            Scored(
                model=model,
                skill=skill,
                quality=quality,
                cost=expected_cost(model, chars=len(query.prompt), output_tokens=tokens),
            )
            for model, skill, quality in zip(query.candidates, squad.skills, qualities, strict=True)
        ]
