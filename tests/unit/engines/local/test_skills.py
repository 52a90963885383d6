from __future__ import annotations

import logging

import numpy as np
import pytest
from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local import artefact as files
from pointsman_server.engines.local.skills import Basis, Skill, SkillBook


@pytest.fixture(scope="module")
def shipped() -> files.Artefact:
    return files.load()


@pytest.fixture
def book(shipped: files.Artefact) -> SkillBook:
    return SkillBook(shipped)


def model(name: str = "m", **known: object) -> CatalogModel:
    return CatalogModel(public_id=f"example/{name}", router_id=name, **known)


def only(book: SkillBook, candidate: CatalogModel) -> Skill:
    return book.pool((candidate, model("other", score=0.7))).skills[0]


def share(skill: Skill, shipped: files.Artefact, topic: str) -> float:
    return float(1 / (1 + np.exp(-skill.logits[shipped.topics.index(topic)])))


@pytest.mark.parametrize(
    ("known", "basis"),
    [
        ({"topic_scores": {"math": 0.6}, "score": 0.8, "capability": 0.1}, Basis.TOPICS),
        ({"score": 0.8, "capability": 0.1, "size": "small"}, Basis.SCORE),
        ({"capability": 0.1, "size": "frontier"}, Basis.CAPABILITY),
        ({"size": "frontier"}, Basis.SIZE),
        ({}, Basis.NONE),
        ({"size": "enormous"}, Basis.NONE),
    ],
)
def test_the_best_knowledge_there_is_counts(
    book: SkillBook, known: dict[str, object], basis: Basis
) -> None:
    assert only(book, model(**known)).basis is basis


@pytest.mark.parametrize(
    ("second", "measured"),
    [({"topic_scores": {"math": 0.6}}, True), ({"score": 0.6}, False), ({}, False)],
)
def test_a_pool_is_measured_where_every_candidate_has_topic_scores(
    book: SkillBook, second: dict[str, object], measured: bool
) -> None:
    first = model("first", topic_scores={"law": 0.7})
    assert book.pool((first, model("second", **second))).measured is measured


@pytest.mark.parametrize("score", [0.3, 0.6, 0.9])
def test_a_published_score_is_reached_on_the_benchmark_that_it_is_of(
    book: SkillBook, shipped: files.Artefact, score: float
) -> None:
    chances = 1 / (1 + np.exp(-only(book, model(score=score)).logits))
    mix = np.array(shipped.meta["score_mix"])
    assert float(mix @ chances) == pytest.approx(score, abs=0.01)


def test_a_fine_topic_wins_over_its_broad_one(book: SkillBook, shipped: files.Artefact) -> None:
    skill = only(book, model(topic_scores={"math": 0.5, "abstract_algebra": 0.9}))
    assert share(skill, shipped, "abstract_algebra") == pytest.approx(0.9, abs=1e-4)
    assert share(skill, shipped, "college_mathematics") < 0.9


def test_a_topic_score_says_nothing_of_other_topics_where_an_overall_one_is_known(
    book: SkillBook, shipped: files.Artefact
) -> None:
    plain = only(book, model("a", score=0.8))
    coder = only(book, model("b", score=0.8, topic_scores={"coding": 0.99}))
    assert share(coder, shipped, "virology") == share(plain, shipped, "virology")
    assert share(coder, shipped, "programming") > share(plain, shipped, "programming")


def test_a_model_of_which_nothing_is_known_gets_the_median_of_the_others(book: SkillBook) -> None:
    pool = tuple(model(str(score), score=score) for score in (0.5, 0.7, 0.9))
    pool = book.pool((model("unknown"), *pool))
    assert pool.skills[0].basis is Basis.NONE
    assert pool.skills[0].logits.tolist() == pool.skills[2].logits.tolist()


def test_nothing_known_of_anyone_makes_all_equal(book: SkillBook) -> None:
    pool = book.pool((model("a"), model("b")))
    assert pool.chances[0].tolist() == pool.chances[1].tolist()


def test_a_topic_that_does_not_exist_is_told_once(
    book: SkillBook, caplog: pytest.LogCaptureFixture
) -> None:
    odd = model(topic_scores={"astrology": 0.5, "math": 0.6})
    with caplog.at_level(logging.WARNING):
        only(book, odd)
        only(book, odd)
    assert [record.getMessage() for record in caplog.records] == [
        "catalog model example/m: no topic is called 'astrology'"
    ]


def test_a_changed_catalog_entry_is_worked_out_again(book: SkillBook) -> None:
    before, after = only(book, model(score=0.5)), only(book, model(score=0.9))
    assert (after.logits > before.logits).all()


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_perfect_and_hopeless_scores_stay_finite(book: SkillBook, score: float) -> None:
    skill = only(book, model(score=score, topic_scores={"law": score}))
    assert np.isfinite(skill.logits).all()
