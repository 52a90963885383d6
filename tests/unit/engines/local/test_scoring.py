from __future__ import annotations

import json
from typing import Any

import pytest
from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local.scoring import Scorer

PROMPT = "How many apples are left when 5 of 12 were eaten?"


@pytest.fixture
def scorer(engine: LocalEngine, pool: tuple[CatalogModel, ...]) -> Scorer:
    return Scorer(engine=engine, catalog={model.public_id: model for model in pool})


def one(scorer: Scorer, **asked: Any) -> dict[str, Any]:
    (found,) = scorer.score([json.dumps(asked)])
    return found


def test_a_prompt_alone_gets_all_heads(scorer: Scorer) -> None:
    found = one(scorer, id=7, prompt=PROMPT)
    assert found["id"] == 7
    heads = {"legibility", "difficulty", "ambiguity", "turn", "domain", "topic"}
    assert set(found) == {"id", *heads}
    assert 0 < found["difficulty"]["hardness"] < 1
    assert 1 <= found["difficulty"]["effort"] <= 5
    assert sum(found["difficulty"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert set(found["difficulty"]["probabilities"]) == {"easy", "medium", "hard"}
    assert sum(found["domain"]["scores"].values()) == pytest.approx(1, abs=1e-4)


def test_candidates_of_the_catalog_are_scored_and_one_is_picked(scorer: Scorer) -> None:
    found = one(scorer, id="a", prompt=PROMPT, candidates=["example/large", "example/small"])
    assert found["model"] in {"example/large", "example/small"}
    assert len(found["ranking"]) == 2
    assert found["policy"] == "balanced"
    assert found["explanation"]


def test_candidates_may_bring_their_own_figures(scorer: Scorer) -> None:
    strong = {"model": "x/strong", "score": 0.9, "input_price": 5, "output_price": 25}
    weak = {"model": "x/weak", "topic_scores": {"math": 0.3}, "input_price": 1, "output_price": 5}
    found = one(scorer, id=1, prompt=PROMPT, candidates=[weak, strong], policy="capability_heavy")
    assert found["model"] == "x/strong"


def test_candidates_with_axes_are_picked_by_effort(scorer: Scorer) -> None:
    strong = {"model": "x/strong", "routine": 0.93, "heavy": {"knowledge": 0.7}}
    weak = {"model": "x/weak", "routine": 0.92, "heavy": {"knowledge": 0.3}}
    found = one(scorer, id=1, prompt=PROMPT, candidates=[weak, strong])
    assert found["explanation"].startswith("effort ")


def test_lines_without_candidates_use_the_scorers_own(
    engine: LocalEngine, pool: tuple[CatalogModel, ...]
) -> None:
    scorer = Scorer(
        engine=engine,
        catalog={model.public_id: model for model in pool},
        candidates=tuple(model.public_id for model in pool),
    )
    assert len(one(scorer, prompt=PROMPT)["ranking"]) == 3


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("not json", "not JSON"),
        ("[1]", "not an object"),
        ("{}", "prompt"),
        ('{"prompt": 5}', "prompt"),
        ('{"prompt": "a", "policy": 5}', "policy"),
        ('{"prompt": "a", "candidates": "x"}', "candidates"),
        ('{"prompt": "a", "candidates": [5, "b"]}', "candidates[0]"),
        ('{"prompt": "a", "candidates": ["a", "a"]}', "twice"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "score": "x"}]}', "[1].score"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "topic_scores": 1}]}', "topic_scores"),
        ('{"prompt": "a", "candidates": ["b", "c"], "policy": "nope"}', "policy"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "score": 1.5}]}', "[1].score"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "score": 1e999}]}', "[1].score"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "score": true}]}', "[1].score"),
        ('{"prompt": "a", "candidates": [{"model": "m", "input_price": -1}]}', "[0].input_price"),
        ('{"prompt": "a", "candidates": [{"model": "m", "size": ["large"]}]}', "[0].size"),
        ('{"prompt": "a", "candidates": [{"model": "m", "topic_scores": {"math": 2}}]}', "topic"),
        ('{"prompt": "a", "candidates": ["b", {"model": "m", "routine": 90}]}', "[1].routine"),
        ('{"prompt": "a", "candidates": [{"model": "m", "heavy": 0.5}]}', "[0].heavy"),
        ('{"prompt": "a", "candidates": [{"model": "m", "heavy": {"maths": 0.5}}]}', "[0].heavy"),
        ('{"prompt": "a", "candidates": [{"model": "m", "heavy": {"coding": 50}}]}', "[0].heavy"),
        ('{"prompt": "a", "id": NaN}', "NaN"),
        ('{"prompt": "a", "id": 1e999}', "id"),
        ('{"prompt": 5, "id": [-1e999]}', "prompt"),
        ('{"prompt": "a", "id": ' + "1" * 5_000 + "}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b'{"prompt": "\xff"}', "not JSON"),
    ],
)
def test_a_bad_line_is_answered_with_the_field_and_ends_nothing(
    scorer: Scorer, line: str | bytes, error: str
) -> None:
    good = json.dumps({"id": 2, "prompt": PROMPT})
    first, second = scorer.score([line, "", good])
    assert error in first["error"]
    assert second["id"] == 2
    assert "error" not in second


def test_a_candidate_of_which_a_figure_is_null_is_one_without_it(scorer: Scorer) -> None:
    models = [{"model": "x/a", "score": None, "size": "small"}, {"model": "x/b", "size": "large"}]
    assert one(scorer, prompt=PROMPT, candidates=models)["ranking"][0]["model"] == "x/b"


def test_prompts_can_be_cut_as_the_service_cuts_them(engine: LocalEngine) -> None:
    cut = Scorer(engine=engine, catalog={}, code_points=len(PROMPT))
    longer = PROMPT + " Then prove the Riemann hypothesis for all number fields." * 5
    assert one(cut, prompt=longer) == one(cut, prompt=PROMPT)
