"""The fake service keeps its users' tests honest."""

from __future__ import annotations

import pytest
from pointsman_client import Outcome, Reason, RoutingClient, ServiceFault, Unsupported
from pointsman_client.testing import FakeService, Refusal, not_routed, routed


async def test_an_answer_that_nobody_asked_for_fails_the_test() -> None:
    fake = await FakeService().__aenter__()
    fake.answer(routed("vendor/a"))
    fake.answer(routed("vendor/b"))
    with pytest.raises(AssertionError, match=r"2 queued answer\(s\) were not used"):
        await fake.__aexit__(None, None, None)


async def test_a_question_without_an_answer_fails_the_test() -> None:
    fake = await FakeService().__aenter__()
    async with RoutingClient(fake.target, timeout=30) as client:
        with pytest.raises(ServiceFault, match="no answer was queued"):
            await client.route("Hi", user_id="u")
    with pytest.raises(AssertionError, match=r"called 1 time\(s\) with no answer queued"):
        await fake.__aexit__(None, None, None)


async def test_the_tests_own_failure_is_not_hidden() -> None:
    async def failing_test() -> None:
        async with FakeService() as fake:
            fake.answer(routed("vendor/a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing_test()


async def test_a_standing_answer_comes_when_the_queue_is_empty(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.always(routed("vendor/always"))
    fake.answer(routed("vendor/once"))
    models = [(await client.route("Hi", user_id="u")).serve_model for _ in range(3)]
    assert models == ["vendor/once", "vendor/always", "vendor/always"]


async def test_answers_can_be_built_for_every_outcome(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b", difficulty="hard", cached=True))
    fake.answer(not_routed("failed", reason=Reason.ENGINES_FAILED, serve_model="vendor/a"))
    first, second = [await client.route("Hi", user_id="u") for _ in range(2)]
    assert first.decision is not None
    assert (first.decision.difficulty, first.decision.cached) == ("hard", True)
    assert (second.outcome, second.reason) == (Outcome.FAILED, Reason.ENGINES_FAILED)


async def test_describe_can_be_refused(fake: FakeService, client: RoutingClient) -> None:
    fake.description = Refusal(status="UNIMPLEMENTED")
    with pytest.raises(Unsupported):
        await client.describe()


@pytest.mark.parametrize("status", ["BUSY", "OK", "unavailable"])
def test_a_refusal_has_a_status_that_refuses(status: str) -> None:
    with pytest.raises(ValueError, match=status):
        Refusal(status=status)
