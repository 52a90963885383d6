from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.engines.local.readers import DIFFICULTIES, DefaultReader, RequestEstimate


@pytest.fixture(scope="module")
def reader() -> DefaultReader:
    return DefaultReader.load()


def an_estimate(*effort: float) -> RequestEstimate:
    one, two, three, four, five = effort
    return RequestEstimate(
        effort=(one, two, three, four, five),
        difficulty="medium",
        difficulty_confidence=0.5,
        domains=(0.2,) * 5,
        domain="general",
        domain_confidence=0.2,
        needs_info=0.0,
        turn=0.0,
    )


@given(st.text(max_size=2_000))
def test_every_text_gets_probabilities(text: str) -> None:
    found = DefaultReader.load().read(text)
    for shares in (found.effort, found.domains, found.difficulties):
        assert math.isclose(sum(shares), 1.0, abs_tol=1e-5)
        assert all(0.0 <= share <= 1.0 for share in shares)
    assert 0.0 <= found.needs_info <= 1.0
    assert 0.0 <= found.turn <= 1.0
    assert found.difficulty in DIFFICULTIES
    assert found.domain in DOMAINS
    assert 0.0 <= found.difficulty_confidence <= 1.0
    assert 1.0 <= found.expected_effort <= 5.0


def test_the_expected_effort_is_the_mean_of_the_distribution() -> None:
    assert an_estimate(0.5, 0.0, 0.0, 0.0, 0.5).expected_effort == 3.0
    assert an_estimate(0.0, 1.0, 0.0, 0.0, 0.0).expected_effort == 2.0


def test_difficulty_sums_effort() -> None:
    assert an_estimate(0.125, 0.125, 0.25, 0.25, 0.25).difficulties == (0.25, 0.25, 0.5)


@pytest.mark.parametrize(
    ("effort", "share", "quantile"),
    [
        ((0.0, 1.0, 0.0, 0.0, 0.0), 0.5, 2.0),
        ((0.0, 1.0, 0.0, 0.0, 0.0), 1.0, 2.5),
        ((0.5, 0.0, 0.0, 0.0, 0.5), 0.5, 1.5),
        ((0.5, 0.0, 0.0, 0.0, 0.5), 0.75, 5.0),
        ((0.0, 0.0, 0.0, 0.0, 1.0), 0.0, 4.5),
    ],
)
def test_a_quantile_of_the_distribution(
    effort: tuple[float, ...], share: float, quantile: float
) -> None:
    assert an_estimate(*effort).effort_quantile(share) == pytest.approx(quantile)


def test_a_hard_request_is_harder_than_an_easy_one(reader: DefaultReader) -> None:
    easy = reader.read("What is the capital of Portugal?")
    hard = reader.read(
        "Design a multi-region active-active ledger with exactly-once semantics, prove that no"
        " transfer is lost when a region fails during a failover, and plan the migration of the"
        " existing single-region database without downtime, with a rollback for every step."
    )
    assert easy.expected_effort < hard.expected_effort
