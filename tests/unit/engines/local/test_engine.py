from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import CatalogModel, EngineAnswer, EngineQuery, Source
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine

Pool = tuple[CatalogModel, ...]

EASY = "Natalia had 5 apples and bought 3 more. How many apples does she have now?"
HARD = (
    "A 0.500 kg block slides on a frictionless incline and compresses a spring. Derive the "
    "Lagrangian, then the normal modes, and find the eigenfrequencies to second order in the "
    "perturbation.\nA. 1.2 Hz\nB. 2.4 Hz\nC. 3.1 Hz\nD. 4.0 Hz\nE. 5.5 Hz\nF. 6.1 Hz\nG. 7.7 Hz"
)

ILLEGIBLE = {
    "one word": "yes",
    "two words": "go on",
    "a thank you": "thanks!",
    "a mark": "?",
    "an emoji": "👍",
    "a number": "42",
    "French": "Écris une fonction qui trie une liste de nombres entiers par ordre croissant",
    "German": "Schreibe bitte einen kurzen Brief an meinen Vermieter wegen der kaputten Heizung",
    "Spanish": "Explica la diferencia entre una célula animal y una célula vegetal con ejemplos",
    "Russian": "Напиши функцию, которая сортирует список целых чисел по возрастанию",
    "Chinese": "请帮我写一个排序算法,并解释它的时间复杂度",
    "Japanese": "このコードを直してください。テストが失敗しています。",
    "Arabic": "اكتب دالة ترتب قائمة من الأعداد الصحيحة",
    "bare code": "for(int i=0;i<10;i++){a[i]=b[i]+c[i];x=y(z);}\nq=f(g(h),k);w=v[u];",
    "a log": (
        "2024-01-01 12:00:01,113 ERROR [main] c.x.Foo: NullPointerException\n"
        "  at com.x.Foo.bar(Foo.java:12)\n  at com.x.Foo.baz(Foo.java:98)\n"
        "  at com.x.Main.main(Main.java:7)\n2024-01-01 12:00:02,001 INFO retry=3 host=10.0.0.1"
    ),
}


def query(prompt: str, pool: Pool, *, policy: str = "balanced", default: int = 0) -> EngineQuery:
    return EngineQuery(prompt=prompt, candidates=pool, policy=policy, default=pool[default])


async def test_an_answer_is_complete_and_names_a_candidate(engine: LocalEngine, pool: Pool) -> None:
    answer = await engine.decide(query(EASY, pool))
    assert answer.source is Source.LOCAL
    chosen = next(model for model in pool if model.public_id == answer.model)
    assert answer.router_model == chosen.router_id
    assert answer.difficulty in {"easy", "medium", "hard", "needs_info"}
    assert answer.ambiguity in {"low", "med", "high"}
    assert answer.domain in {"general", "summary", "coding", "design", "data"}
    assert sorted(r.model for r in answer.ranking) == sorted(m.public_id for m in pool)
    scores = [ranked.score for ranked in answer.ranking]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert all(ranked.estimated_cost > 0 for ranked in answer.ranking)


@given(prompt=st.text(min_size=1, max_size=400))
@settings(max_examples=100, deadline=None)
async def test_any_text_gets_an_answer_within_bounds(
    engine: LocalEngine, pool: Pool, prompt: str
) -> None:
    answer = await engine.decide(query(prompt, pool))
    assert answer.model in {model.public_id for model in pool}
    for confidence in (answer.confidence, answer.ambiguity_confidence, answer.domain_confidence):
        assert confidence is not None
        assert 0 <= confidence <= 1


@pytest.mark.parametrize("default", [0, 1, 2])
@pytest.mark.parametrize("prompt", ILLEGIBLE.values(), ids=ILLEGIBLE.keys())
async def test_what_the_outcome_heads_cannot_read_keeps_the_default_model(
    engine: LocalEngine, pool: Pool, prompt: str, default: int
) -> None:
    answer = await engine.decide(query(prompt, pool, default=default))
    assert answer.model == pool[default].public_id


@pytest.mark.parametrize(
    ("prompt", "domain"),
    [
        ("Write a Python function that merges two sorted linked lists", "coding"),
        (
            "Debug this Java exception in the HTTP server and add a unit test",
            "coding",
        ),
        ("Plot the monthly revenue by region from this dataset and flag the outliers", "data"),
        ("What is the capital of Norway and how many people live there?", "general"),
        ("Write me a poem about the first snow in the mountains", "general"),
    ],
)
async def test_plain_requests_fall_into_their_domain(
    engine: LocalEngine, prompt: str, domain: str
) -> None:
    found = await engine.classify(prompt)
    assert found.domain is not None
    assert found.domain.label == domain


async def test_a_hard_prompt_is_predicted_harder_for_everyone_than_an_easy_one(
    engine: LocalEngine, pool: Pool
) -> None:
    easy, hard = [await engine.decide(query(prompt, pool)) for prompt in (EASY, HARD)]
    ease = {ranked.model: ranked.score for ranked in easy.ranking}
    for ranked in hard.ranking:
        assert ranked.score < ease[ranked.model]


async def test_a_looser_policy_never_costs_more(engine: LocalEngine, pool: Pool) -> None:
    price = {model.public_id: model.input_price or 0.0 for model in pool}
    for prompt in (EASY, HARD, "Explain how a heat pump works and when it saves money"):
        costs = [
            price[(await engine.decide(query(prompt, pool, policy=policy))).model]
            for policy in ("capability_heavy", "balanced", "cost_efficient")
        ]
        assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize(
    "prompt",
    [
        "Implement a lock-free queue in C++ with hazard pointers",
        "Calculate the NPV of a 5 year project at 8 % discount.",
        "A 2 kg block slides down a 30 degree incline; find the acceleration.",
    ],
)
async def test_the_cheapest_of_equal_candidates_is_picked_without_any_loss(
    engine: LocalEngine, prompt: str
) -> None:
    pool = tuple(
        CatalogModel(
            public_id=f"acme/{price}",
            router_id=f"{price}",
            input_price=price,
            output_price=5 * price,
            size="medium",
        )
        for price in (1.5, 0.3, 6.0)
    )
    answer = await engine.decide(query(prompt, pool, policy="domain_skills"))
    assert answer.model == "acme/0.3"


async def test_domain_skills_picks_the_best_at_the_topic(engine: LocalEngine) -> None:
    coder = CatalogModel(public_id="a/coder", router_id="c", topic_scores={"coding": 0.9})
    solver = CatalogModel(public_id="a/solver", router_id="s", topic_scores={"math": 0.9})
    prompts = {
        "Write a Python function that removes duplicates from a list of strings": "a/coder",
        EASY: "a/solver",
    }
    weak_at_the_rest = {"score": 0.5}
    pool = tuple(
        CatalogModel(
            public_id=model.public_id,
            router_id=model.router_id,
            topic_scores=model.topic_scores,
            **weak_at_the_rest,
        )
        for model in (coder, solver)
    )
    for prompt, expected in prompts.items():
        answer = await engine.decide(query(prompt, pool, policy="domain_skills"))
        assert answer.model == expected


async def test_a_request_that_is_too_open_keeps_the_default(pool: Pool) -> None:
    strict = LocalRules(quality_loss={"balanced": 0.05}, needs_info_threshold=0.0)
    answer = await LocalEngine.load(strict).decide(
        query("I want to plan a trip, what do you recommend?", pool, default=1)
    )
    assert answer.difficulty == "needs_info"
    assert answer.model == pool[1].public_id
    assert answer.explanation is not None
    assert answer.explanation.startswith("needs_info")


@pytest.mark.parametrize("prompt", [EASY, HARD, "Write a Python function that sorts a list"])
async def test_a_request_that_says_what_it_wants_is_not_too_open(
    engine: LocalEngine, pool: Pool, prompt: str
) -> None:
    assert (await engine.decide(query(prompt, pool))).difficulty != "needs_info"


async def test_a_policy_without_a_bound_fails_the_engine(engine: LocalEngine, pool: Pool) -> None:
    with pytest.raises(EngineFailed) as caught:
        await engine.decide(query(EASY, pool, policy="whatever"))
    assert caught.value.failure.engine == "local"


async def test_a_model_without_any_figure_is_ranked_and_flagged(
    engine: LocalEngine, pool: Pool
) -> None:
    nameless = CatalogModel(public_id="new/mystery", router_id="x")
    answer = await engine.decide(query(EASY, (*pool, nameless)))
    assert "new/mystery" in {ranked.model for ranked in answer.ranking}
    assert answer.explanation is not None
    assert "skill not known, taken as the median: mystery" in answer.explanation
    assert "price not known: mystery" in answer.explanation


CANARY = re.compile(r"[a-z]{5,}")


@pytest.mark.parametrize("prompt", [EASY, HARD, *ILLEGIBLE.values()])
async def test_the_explanation_holds_no_word_of_the_prompt(
    engine: LocalEngine, pool: Pool, prompt: str
) -> None:
    answer: EngineAnswer = await engine.decide(query(prompt, pool))
    assert answer.explanation is not None
    assert "\n" not in answer.explanation
    assert not set(CANARY.findall(prompt.lower())) & set(CANARY.findall(answer.explanation))


async def test_the_same_question_gets_the_same_answer(engine: LocalEngine, pool: Pool) -> None:
    assert await engine.decide(query(HARD, pool)) == await engine.decide(query(HARD, pool))
