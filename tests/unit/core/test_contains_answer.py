"""Whether an answer belongs to a request."""

from __future__ import annotations

import pytest
from pointsman_server.core.candidates import contains_answer
from support.builders import GPT, OPUS, SONNET, answer, model


@pytest.mark.parametrize(
    ("candidates", "holds"),
    [
        ([model(OPUS), model(SONNET)], True),
        ([model(OPUS), model(GPT)], False),
        ([], False),
        # The public id now stands for another model, or the model has another public id.
        ([model(SONNET, router_id="sonnet-of-old")], False),
        ([model("z/alias", router_id=model(SONNET).router_id)], False),
    ],
)
def test_an_answer_holds_for_requests_that_offer_its_model(candidates, holds):
    assert contains_answer(answer(SONNET), candidates) is holds
