"""Many prompts at once: JSON lines in, JSON lines out, one for one and in order.

In: `{"id", "prompt", "candidates"?, "policy"?}`. A candidate is a public id, looked up in the
catalog, or an object with `model` and its figures (`routine`, `heavy`, `score`, `topic_scores`,
`capability`, `size`, `input_price`, `output_price`). Out: all heads, and with two candidates or
more every score, the pick and its explanation. A line that cannot be read gets an `error` that
names the field, and the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import HEAVY_AXES, CatalogModel, EngineQuery
from pointsman_server.engines.local.engine import Judgement, LocalEngine
from pointsman_server.engines.local.labels import Labels, TopicLabels
from pointsman_server.engines.local.readers import DIFFICULTIES
from pointsman_server.engines.local.reading import TextScores
from pointsman_server.engines.local.skills import SIZE_SCORE
from pointsman_server.lib.bounded_map import BoundedMap

_SHARES: Final = ("score", "capability", "routine")
_PRICES: Final = ("input_price", "output_price")
_DEAREST: Final = 1e6
_MOST_KEPT: Final = 4_096
_FEWEST: Final = 2
_PLACES: Final = 6


class _Unreadable(ValueError):
    """A line that breaks the format; its text names the field and quotes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Scores lines. `code_points` cuts each prompt as the service does; `None`: no cut."""

    engine: LocalEngine
    catalog: Mapping[str, CatalogModel]
    policy: str = "balanced"
    """For lines that name none."""
    candidates: tuple[str, ...] = ()
    """For lines that name none; empty: such lines get the heads only."""
    code_points: int | None = None

    def score(self, lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
        """Give one answer, plain JSON, for each line that is not blank. Bytes are UTF-8."""
        # Equal candidate lists become one tuple, so that their skills are worked out once.
        known: BoundedMap[str, tuple[CatalogModel, ...]] = BoundedMap(_MOST_KEPT)
        for line in lines:
            if line.strip():
                yield self._answer(line, known)

    def _answer(
        self, line: str | bytes, known: BoundedMap[str, tuple[CatalogModel, ...]]
    ) -> dict[str, Any]:
        asked: Any = None
        try:
            text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
            asked = json.loads(text, parse_constant=_no_constant)
            prompt = self._prompt(asked)
            named = asked.get("candidates", list(self.candidates))
            key = json.dumps(named, sort_keys=True)
            candidates = known.get(key) or known.remember(key, self._models(named))
            policy = asked.get("policy", self.policy)
            head = {"id": _id(asked)}
            if not _is_json(head["id"]):
                raise _Unreadable("id: a number that no float can hold")
            if len(candidates) < _FEWEST:
                return head | self._heads(prompt, self.engine.read(prompt))
            query = EngineQuery(
                prompt=prompt, candidates=candidates, policy=policy, default=candidates[0]
            )
            judgement = self.engine.judge(query)
        except (EngineFailed, ValueError, RecursionError) as error:
            found = _id(asked)
            return {"id": found if _is_json(found) else None, "error": _why(error)}
        return head | self._heads(prompt, judgement.labels) | _pick(judgement, policy=policy)

    def _heads(self, prompt: str, labels: Labels) -> dict[str, Any]:
        scores = self.engine.scores(prompt)
        return describe(labels, scores=scores, topic=self.engine.topics.label(scores))

    def _prompt(self, asked: Any) -> str:
        if not isinstance(asked, dict):
            raise _Unreadable("the line is not an object")
        if "prompt" not in asked:
            raise _Unreadable("prompt: missing")
        prompt = asked["prompt"]
        if not isinstance(prompt, str):
            raise _Unreadable("prompt: not a string")
        if not isinstance(asked.get("policy", ""), str):
            raise _Unreadable("policy: not a string")
        return prompt.strip()[: self.code_points]

    def _models(self, named: Any) -> tuple[CatalogModel, ...]:
        if not isinstance(named, list):
            raise _Unreadable("candidates: not a list")
        found = tuple(self._model(entry, at=at) for at, entry in enumerate(named))
        if len({model.public_id for model in found}) < len(found):
            raise _Unreadable("candidates: the same model twice")
        return found

    def _model(self, entry: Any, *, at: int) -> CatalogModel:
        where = f"candidates[{at}]"
        if isinstance(entry, str) and entry:
            return self.catalog.get(entry, CatalogModel(public_id=entry, router_id=entry))
        if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
            raise _Unreadable(f"{where}: neither a model id nor an object with `model`")
        entry = {name: value for name, value in entry.items() if value is not None}
        for name in _SHARES:
            if not _is_number(entry.get(name, 0), most=1):
                raise _Unreadable(f"{where}.{name}: not a number from 0 to 1")
        for name in _PRICES:
            if not _is_number(entry.get(name, 0), most=_DEAREST):
                raise _Unreadable(f"{where}.{name}: not a price in dollars per million tokens")
        heavy = entry.get("heavy", {})
        if not isinstance(heavy, dict) or not all(
            axis in HEAVY_AXES and _is_number(share, most=1) for axis, share in heavy.items()
        ):
            raise _Unreadable(f"{where}.heavy: not numbers from 0 to 1 by {', '.join(HEAVY_AXES)}")
        topics = entry.get("topic_scores", {})
        if not isinstance(topics, dict) or not all(
            _is_number(score, most=1) for score in topics.values()
        ):
            raise _Unreadable(f"{where}.topic_scores: not numbers from 0 to 1 by topic")
        if "size" in entry and str(entry["size"]) not in SIZE_SCORE:
            raise _Unreadable(f"{where}.size: not one of {', '.join(SIZE_SCORE)}")
        return CatalogModel(
            public_id=entry["model"],
            router_id=entry["model"],
            topic_scores=topics,
            heavy=heavy,
            size=entry.get("size"),
            **{name: entry[name] for name in (*_SHARES, *_PRICES) if name in entry},
        )


def describe(labels: Labels, *, scores: TextScores, topic: TopicLabels) -> dict[str, Any]:
    """Give all heads of one prompt as plain JSON."""
    return {
        "legibility": str(scores.legibility),
        "difficulty": {
            "label": labels.difficulty,
            "confidence": _round(labels.confidence),
            "effort": _round(labels.effort),
            "probabilities": _shares(DIFFICULTIES, labels.probabilities),
            "hardness": _round(topic.hardness),
            "leverage": _round(scores.leverage),
        },
        "ambiguity": {
            "label": labels.ambiguity,
            "confidence": _round(labels.ambiguity_confidence),
            "needs_info": _round(labels.needs_info),
        },
        "turn": _round(labels.turn),
        "domain": {
            "label": labels.domain,
            "confidence": _round(labels.domain_confidence),
            "scores": _shares(DOMAINS, labels.domains),
        },
        "topic": {"label": topic.topic, "confidence": _round(topic.topic_confidence)},
    }


def _pick(judgement: Judgement, *, policy: str) -> dict[str, Any]:
    return {
        "policy": policy,
        "model": judgement.chosen.model.public_id,
        "ranking": [
            {
                "model": scored.model.public_id,
                "score": _round(scored.quality),
                "estimated_cost": scored.cost,
            }
            for scored in judgement.ranked
        ],
        "explanation": judgement.explanation,
    }


def _shares(names: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    return {name: _round(share) for name, share in zip(names, shares, strict=True)}


def _round(value: float) -> float:
    return round(value, _PLACES)


def _id(asked: Any) -> Any:
    return asked.get("id") if isinstance(asked, dict) else None


def _is_json(value: Any) -> bool:
    """Whether it can be returned: 1e999 is read as infinity, which is not JSON."""
    if value is None or isinstance(value, str | int):
        return True
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_number(value: Any, *, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _no_constant(name: str) -> None:
    raise _Unreadable(f"{name} is not JSON")


def _why(error: Exception) -> str:
    if isinstance(error, EngineFailed):
        return "policy: not known"
    return str(error) if isinstance(error, _Unreadable) else "the line is not JSON"
