"""Engine `local`: reads the request in this process and picks one of the query's candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pointsman_server.core.deadlines import read_by
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
from pointsman_server.core.value import value
from pointsman_server.engines.local import artefact as files
from pointsman_server.engines.local.anchors import measured
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.choice import Scored
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.explanation import (
    Kept,
    explain_default,
    explain_effort,
    explain_outcome,
)
from pointsman_server.engines.local.labels import NEEDS_INFO, Labels, TopicLabeller, label
from pointsman_server.engines.local.legibility import InputQuality
from pointsman_server.engines.local.outcome_rule import DOMAIN_SKILLS, OutcomeRule
from pointsman_server.engines.local.readers import DefaultReader, RequestEstimate, RequestReader
from pointsman_server.engines.local.readers.cascade import CascadeReader
from pointsman_server.engines.local.readers.loading import load_reader
from pointsman_server.engines.local.reading import OutcomeReader, TextScores

NAME: Final = "local"

TURN_THRESHOLD: Final = 0.5
"""The probability from which a request counts as a turn without a task."""

_MEETS: Final = {"difficulty": 0.5, "ambiguity": 0.5, "domain": 0.6}
"""The confidence from which a label may be acted on, by head."""


@value(kw_only=True)
class Judgement:
    """The engine's decision on one query."""

    labels: Labels
    ranked: tuple[Scored, ...]
    """Best first."""
    chosen: Scored
    explanation: str


class LocalEngine:
    """Decides without network and key, and remembers no prompt.

    It is a `DecisionEngine` and a `Classifier`. Nothing in it is awaited; it keeps only the skills
    and anchors of the catalog's models. Where the candidates carry axes, effort decides
    (`effort_rule`); where they do not, and under `domain_skills`, exam outcomes by topic do
    (`outcome_rule`).
    """

    def __init__(
        self, artefact: Artefact, *, rules: LocalRules, reader: RequestReader | None = None
    ) -> None:
        self._rules = rules
        self._reader = DefaultReader.load() if reader is None else reader
        self._quick = (
            self._reader.default if isinstance(self._reader, CascadeReader) else self._reader
        )
        self._outcome_reader = OutcomeReader(artefact)
        self._topics = TopicLabeller(artefact)
        self._effort_rule = EffortRule()
        self._outcome_rule = OutcomeRule(artefact)
        self.version = f"{artefact.version}+{self._reader.version}"

    @classmethod
    def load(cls, rules: LocalRules, *, artefact: Path | None = None) -> LocalEngine:
        """Build the engine from a file, or from the one in the wheel. Raises `ArtefactInvalid`."""
        return cls(files.load(artefact), rules=rules, reader=load_reader(rules))

    def read(self, prompt: str) -> Labels:
        """Label `prompt`: any string, of any length and language."""
        return self.label(self._reader.read(prompt))

    def scores(self, prompt: str) -> TextScores:
        """Give the outcome heads' scores of `prompt`."""
        return self._outcome_reader.read(prompt)

    @property
    def topics(self) -> TopicLabeller:
        """Labels the outcome heads' scores."""
        return self._topics

    def judge(self, query: EngineQuery, *, estimate: RequestEstimate | None = None) -> Judgement:
        """Decide, and keep everything that the decision was made of. Raises `EngineFailed`.

        `estimate` is of another reader, such as a decision model; `None`: this engine reads.
        """
        loss = self._rules.quality_loss.get(query.policy)
        if loss is None:
            raise EngineFailed(EngineFailure(engine=NAME, stage="unexpected_error"))
        if estimate is None:
            estimate = self._reader.read(query.prompt)
        labels = self.label(estimate)
        kept: Kept | InputQuality | None = _kept(query.prompt, labels)
        if query.policy != DOMAIN_SKILLS and measured(query.candidates):
            choice = self._effort_rule.decide(query, estimate, loss=loss)
            ranked, chosen, why = choice.ranked, choice.chosen, explain_effort(labels, choice)
        else:
            scores = self.scores(query.prompt)
            outcome = self._outcome_rule.decide(query, scores, loss=loss)
            ranked, chosen = outcome.ranked, outcome.chosen
            why = explain_outcome(self._topics.label(scores), outcome, loss=loss)
            if kept is None and scores.legibility is not InputQuality.CLEAR:
                kept = scores.legibility
        if kept is not None:
            chosen = next((s for s in ranked if s.model is query.default), ranked[0])
            why = explain_default(kept, labels=labels, default=chosen.model.public_id)
        return Judgement(labels=labels, ranked=ranked, chosen=chosen, explanation=why)

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Pick one of the query's candidates. Raises `EngineFailed` for a policy without bound."""
        estimate = query.estimate
        if self._quick is not self._reader or not isinstance(estimate, RequestEstimate):
            estimate = await self._reader.read_async(query.prompt, by=read_by(query.deadline))
        return answer_of(self.judge(query, estimate=estimate), source=Source.LOCAL)

    async def classify(self, prompt: str) -> Classification:
        """Label `prompt`."""
        return classification_of(self.label(await self._reader.read_async(prompt)))

    def quick_estimate(self, prompt: str) -> RequestEstimate:
        """Give the default reader's estimate of `prompt`, whatever reader decides."""
        return self._quick.read(prompt)

    def estimate(self, prompt: str) -> RequestEstimate:
        """Give the request reader's estimate of `prompt`."""
        return self._reader.read(prompt)

    def label(self, estimate: RequestEstimate) -> Labels:
        """Label an estimate of this or of another reader."""
        return label(estimate, needs_info_threshold=self._rules.needs_info_threshold)


def answer_of(judgement: Judgement, *, source: Source) -> EngineAnswer:
    """Give a judgement as an engine's answer."""
    labels, model = judgement.labels, judgement.chosen.model
    return EngineAnswer(
        source=source,
        model=model.public_id,
        router_model=model.router_id or model.public_id,
        difficulty=labels.difficulty,
        confidence=labels.confidence,
        ambiguity=labels.ambiguity,
        ambiguity_confidence=labels.ambiguity_confidence,
        domain=labels.domain,
        domain_confidence=labels.domain_confidence,
        effort=labels.effort,
        difficulties=labels.probabilities,
        ranking=tuple(
            RankedModel(model=s.model.public_id, score=s.quality, estimated_cost=s.cost)
            for s in judgement.ranked
        ),
        explanation=judgement.explanation,
    )


def classification_of(labels: Labels) -> Classification:
    """Give labels as an answer to `classify`."""

    def head(name: str, label: str, confidence: float) -> Head:
        return Head(label=label, confidence=confidence, meets_threshold=confidence >= _MEETS[name])

    return Classification(
        difficulty=head("difficulty", labels.difficulty, labels.confidence),
        ambiguity=head("ambiguity", labels.ambiguity, labels.ambiguity_confidence),
        domain=head("domain", labels.domain, labels.domain_confidence),
    )


def _kept(prompt: str, labels: Labels) -> Kept | None:
    """Tell why a request keeps the default model, if it does."""
    if labels.difficulty == NEEDS_INFO:
        return Kept.NEEDS_INFO
    if labels.turn >= TURN_THRESHOLD:
        return Kept.TURN
    if not any(character.isalpha() for character in prompt):
        return Kept.NO_WORDS
    return None
