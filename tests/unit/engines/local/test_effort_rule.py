from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.anchored_quality import effort_bound, effort_weight
from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import CatalogModel, EngineQuery
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine, effort_rule
from pointsman_server.engines.local import artefact as files
from pointsman_server.engines.local.anchors import measured, pool_anchors
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.readers import RequestEstimate

Pool = tuple[CatalogModel, ...]


def model(name: str, *, price: float | None = 1.0, **known: object) -> CatalogModel:
    return CatalogModel(
        public_id=f"example/{name}", router_id=name, input_price=price,
        output_price=None if price is None else 5 * price, **known,
    )  # fmt: skip


STRONG = model("strong", price=10.0, routine=0.93, heavy={"coding": 0.7, "knowledge": 0.5})
MIDDLE = model("middle", price=2.0, routine=0.93, heavy={"coding": 0.6, "knowledge": 0.45})
CHEAP = model("cheap", price=0.1, routine=0.92, heavy={"coding": 0.5, "knowledge": 0.3})
POOL = (STRONG, MIDDLE, CHEAP)

SURE = {
    1: (0.97, 0.03, 0.0, 0.0, 0.0),
    2: (0.03, 0.95, 0.02, 0.0, 0.0),
    3: (0.0, 0.03, 0.95, 0.02, 0.0),
    4: (0.0, 0.0, 0.03, 0.95, 0.02),
    5: (0.0, 0.0, 0.0, 0.03, 0.97),
}
CODING, GENERAL = (0.0, 0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 0.0)


def estimate(
    effort: tuple[float, ...], *, domains: tuple[float, ...] = CODING, **changes: object
) -> RequestEstimate:
    plain = RequestEstimate(
        effort=effort, difficulty="medium", difficulty_confidence=0.8, domains=domains,
        domain=DOMAINS[domains.index(max(domains))], domain_confidence=0.9,
        needs_info=0.05, turn=0.02,
    )  # type: ignore[arg-type]  # fmt: skip
    return replace(plain, **changes)


def query(pool: Pool = POOL, *, policy: str = "balanced", prompt: str = "Sort it") -> EngineQuery:
    return EngineQuery(prompt=prompt, candidates=pool, policy=policy, default=pool[0])


def pick(effort: tuple[float, ...], *, policy: str, loss: float, pool: Pool = POOL) -> str:
    choice = EffortRule().decide(query(pool, policy=policy), estimate(effort), loss=loss)
    return choice.chosen.model.router_id or ""


@pytest.mark.parametrize(
    ("policy", "loss", "expected"),
    [
        ("capability_heavy", 0.02, ["cheap", "middle", "strong", "strong", "strong"]),
        ("balanced", 0.05, ["cheap", "cheap", "middle", "strong", "strong"]),
        ("cost_efficient", 0.10, ["cheap", "cheap", "cheap", "strong", "strong"]),
    ],
)
def test_the_harder_the_request_the_stronger_the_pick(
    policy: str, loss: float, expected: list[str]
) -> None:
    assert [pick(SURE[e], policy=policy, loss=loss) for e in SURE] == expected


def test_an_unsure_reader_counts_as_a_harder_request() -> None:
    unsure = (0.55, 0.15, 0.1, 0.1, 0.1)
    assert pick(SURE[1], policy="capability_heavy", loss=0.02) == "cheap"
    assert pick(unsure, policy="capability_heavy", loss=0.02) == "strong"


def test_heavy_work_takes_the_strongest_however_small_the_lead() -> None:
    close = (replace(STRONG, heavy={"coding": 0.601}), MIDDLE)
    assert pick(SURE[4], policy="capability_heavy", loss=0.02, pool=close) == "strong"
    assert pick(SURE[4], policy="balanced", loss=0.05, pool=close) == "middle"


def test_a_domain_has_its_own_heavy_anchor() -> None:
    coder = model("coder", heavy={"coding": 0.8, "knowledge": 0.2}, routine=0.9)
    scholar = model("scholar", heavy={"coding": 0.2, "knowledge": 0.8}, routine=0.9)
    for domains, expected in ((CODING, "coder"), (GENERAL, "scholar")):
        asked = estimate(SURE[4], domains=domains)
        choice = EffortRule().decide(query((coder, scholar)), asked, loss=0.05)
        assert choice.chosen.model.router_id == expected


efforts = st.floats(min_value=0.5, max_value=5.5)


@given(low=efforts, high=efforts)
def test_weight_grows_and_bound_shrinks_with_effort(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0.0 <= effort_weight(low) <= effort_weight(high) <= 1.0
    for policy in ("capability_heavy", "balanced"):
        bounds = [effort_bound(0.05, policy=policy, effort=e) for e in (low, high)]
        assert 0.0 <= bounds[1] <= bounds[0] <= 0.05


@given(
    heavy=st.lists(st.floats(0.05, 0.95), min_size=2, max_size=6),
    share=st.floats(0.0, 1.0),
)
def test_a_pick_is_never_weaker_than_the_bound_allows(heavy: list[float], share: float) -> None:
    pool = tuple(
        model(str(at), price=1.0 + at, routine=0.9, heavy={"coding": figure})
        for at, figure in enumerate(heavy)
    )
    asked = estimate((1 - share, 0.0, 0.0, 0.0, share))
    choice = EffortRule().decide(query(pool), asked, loss=0.05)
    assert choice.ranked[0].quality - choice.chosen.quality <= choice.bound + 1e-6


def test_a_longer_answer_is_expected_of_a_harder_request() -> None:
    tokens = [effort_rule.output_tokens(estimate(SURE[effort])) for effort in SURE]
    assert all(shorter < longer for shorter, longer in pairwise(tokens))


def test_a_missing_figure_counts_low_and_is_named() -> None:
    unmeasured = model("unmeasured", price=0.01, routine=0.93)
    pool = (*POOL, unmeasured)
    anchors = pool_anchors(pool).anchors
    coding = DOMAINS.index("coding")
    assert anchors[3].heavy[coding] == 0.5
    assert anchors[3].missing[coding] == ("heavy coding",)
    assert anchors[0].missing[coding] == ()


@pytest.mark.parametrize(
    ("given_axes", "domain", "expected"),
    [
        ({"instructions": 0.3, "knowledge": 0.6}, "summary", 0.3),
        ({"knowledge": 0.6}, "summary", 0.6),
        ({"general": 0.4, "knowledge": 0.6}, "general", 0.6),
        ({"general": 0.4}, "general", 0.4),
        ({"coding": 0.2, "knowledge": 0.6}, "design", 0.2),
        ({"coding": 0.2}, "data", 0.2),
        ({}, "coding", 0.9),
    ],
)
def test_the_nearest_axis_that_is_measured_speaks_for_a_domain(
    given_axes: dict[str, float], domain: str, expected: float
) -> None:
    pair = tuple(model(name, routine=0.9, heavy=given_axes) for name in "ab")
    anchor = pool_anchors(pair).anchors[0]
    assert anchor.heavy[DOMAINS.index(domain)] == expected


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (POOL, True),
        ((STRONG, model("x")), False),
        ((STRONG, MIDDLE, model("x")), True),
        ((), False),
    ],
)
def test_two_candidates_with_axes_are_enough(pool: Pool, expected: bool) -> None:
    assert measured(pool) is expected


class Says:
    """A reader that says the same of every text."""

    version = "test"

    def __init__(self, said: RequestEstimate) -> None:
        self._said = said

    def read(self, text: str) -> RequestEstimate:
        return self._said

    async def read_async(self, text: str, *, by: float | None = None) -> RequestEstimate:
        return self.read(text)


def engine(said: RequestEstimate, *, rules: LocalRules) -> LocalEngine:
    return LocalEngine(files.load(), rules=rules, reader=Says(said))


async def test_an_answer_carries_effort_and_a_reason_in_words(rules: LocalRules) -> None:
    answer = await engine(estimate(SURE[4]), rules=rules).decide(query())
    assert answer.effort == pytest.approx(3.99)
    assert answer.model == "example/strong"
    assert answer.explanation == (
        "effort 4.0 of 5, taken as 4.4 in case it is harder: heavy coding;"
        " strong (routine 0.93, heavy 0.70) is the strongest;"
        " middle (routine 0.93, heavy 0.60) falls short at 20% of its price"
    )


async def test_a_cheaper_pick_says_what_it_saves(rules: LocalRules) -> None:
    answer = await engine(estimate(SURE[1]), rules=rules).decide(query())
    assert answer.model == "example/cheap"
    assert answer.explanation is not None
    assert answer.explanation.startswith(
        "effort 1.0 of 5, taken as 1.4 in case it is harder: routine coding; cheap ("
    )
    assert answer.explanation.endswith("at 1% of its price")


CODER = model("coder", price=10.0, routine=0.9, heavy={"coding": 0.55, "knowledge": 0.3})
SCHOLAR = model("scholar", price=20.0, routine=0.9, heavy={"coding": 0.54, "knowledge": 0.5})


async def test_the_figures_of_a_request_between_domains_say_why_the_pick_is_the_strongest(
    rules: LocalRules,
) -> None:
    said = estimate(SURE[5], domains=(0.4, 0.0, 0.6, 0.0, 0.0))
    answer = await engine(said, rules=rules).decide(query((CODER, SCHOLAR)))
    assert answer.model == "example/scholar"
    assert answer.explanation == (
        "effort 5.0 of 5, taken as 5.0 in case it is harder: heavy coding or general;"
        " scholar (routine 0.90, heavy 0.52) is the strongest;"
        " coder (routine 0.90, heavy 0.45) falls short at 50% of its price"
    )


async def test_a_gap_in_any_domain_that_counts_is_named(rules: LocalRules) -> None:
    unknown = model("unknown", price=1.0, routine=0.9, heavy={"coding": 0.5})
    said = estimate(SURE[5], domains=(0.4, 0.0, 0.6, 0.0, 0.0))
    answer = await engine(said, rules=rules).decide(query((CODER, SCHOLAR, unknown)))
    assert answer.explanation is not None
    assert answer.explanation.endswith("; unknown has no heavy knowledge figure, counted low")
    answer = await engine(estimate(SURE[5]), rules=rules).decide(query((CODER, SCHOLAR, unknown)))
    assert answer.explanation is not None
    assert "counted low" not in answer.explanation


@pytest.mark.parametrize(
    ("changes", "prompt", "reason"),
    [
        ({"turn": 0.9}, "yes, go on", "a turn without a task"),
        ({"needs_info": 0.9}, "fix it", "needs_info 0.90"),
        ({}, "?!", "no words"),
    ],
)
async def test_a_request_that_cannot_be_sized_keeps_the_default(
    rules: LocalRules, changes: dict[str, float], prompt: str, reason: str
) -> None:
    said = estimate(SURE[1], **changes)
    answer = await engine(said, rules=rules).decide(query(prompt=prompt))
    assert answer.model == "example/strong"
    assert answer.explanation is not None
    assert reason in answer.explanation


async def test_labels_are_acted_on_where_the_probability_says_so(rules: LocalRules) -> None:
    found = await engine(estimate(SURE[3]), rules=rules).classify("Sort it")
    assert found.difficulty is not None
    assert found.domain is not None
    assert found.ambiguity is not None
    assert found.difficulty.meets_threshold
    assert found.domain.meets_threshold
    assert (found.ambiguity.label, found.ambiguity.meets_threshold) == ("low", True)
