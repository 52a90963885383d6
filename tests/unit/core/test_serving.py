"""What is served: the decision's model or the static pick."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.model import Mode, Reason
from pointsman_server.core.serving import ServeDecision, in_share, serve
from support.builders import FRONTIER, GPT, OPUS, SONNET, answer, request, routing, rules

conversations = st.binary(min_size=16, max_size=16)
percents = st.floats(0, 100)
CONVERSATION = bytes(16)
MANY = [hashlib.sha256(str(i).encode()).digest()[:16] for i in range(20_000)]


def served(*, said=None, file=None, **changes):
    return serve(
        request(**changes),
        said or answer(SONNET),
        rules=file or rules(),
        conversation=CONVERSATION,
    )


@given(conversations)
def test_no_conversation_belongs_to_nothing_and_every_one_to_all(conversation):
    assert not in_share(conversation, 0.0)
    assert in_share(conversation, 100.0)


@given(conversations, percents, percents)
def test_raising_the_share_never_takes_a_conversation_out(conversation, one, other):
    low, high = sorted((one, other))
    assert in_share(conversation, high) or not in_share(conversation, low)


@pytest.mark.parametrize("percent", [0.5, 1, 10, 33.3, 50, 90, 99.5])
def test_the_share_of_conversations_is_the_percentage(percent):
    share = 100 * sum(in_share(c, percent) for c in MANY) / len(MANY)
    # Five standard deviations of a fair draw; the conversations are fixed, so no luck is involved.
    assert abs(share - percent) < 5 * (percent * (100 - percent) / len(MANY)) ** 0.5


@pytest.mark.parametrize("extreme", [bytes(16), b"\xff" * 16])
def test_the_extremes_of_the_hash_are_served_at_a_hundred_percent_and_not_at_zero(extreme):
    assert in_share(extreme, 100.0)
    assert not in_share(extreme, 0.0)


def test_serving_means_the_decisions_model():
    assert served() == ServeDecision(SONNET, shadow=False, reason=None)


@pytest.mark.parametrize(
    "file", [rules(mode=Mode.SHADOW), rules(serve_percent=0.0)], ids=["shadow", "share"]
)
def test_a_shadow_decision_serves_the_static_pick(file):
    assert served(file=file) == ServeDecision(OPUS, shadow=True, reason=None)


@pytest.mark.parametrize("pick", [OPUS, GPT, "x/not-a-candidate"])
def test_an_ambiguous_prompt_keeps_the_static_pick_whether_that_is_a_candidate_or_not(pick):
    said = answer(SONNET, difficulty="needs_info")
    assert served(said=said, routing=routing(OPUS, SONNET, static_pick=pick)) == ServeDecision(
        pick, shadow=False, reason=Reason.AMBIGUOUS
    )


def test_without_a_static_pick_an_ambiguous_prompt_gets_no_model():
    said = answer(SONNET, difficulty="needs_info")
    assert served(said=said, routing=routing(static_pick=None)).model == ""


def test_without_a_static_pick_a_decision_is_served_all_the_same():
    assert served(routing=routing(static_pick=None)).model == SONNET


@pytest.mark.parametrize("name", [GPT, SONNET, OPUS, "x/unheard-of"])
def test_a_request_that_named_a_concrete_model_keeps_the_static_pick(name):
    assert served(requested_model=name) == ServeDecision(
        OPUS, shadow=False, reason=Reason.CONCRETE_MODEL_REQUESTED
    )


@pytest.mark.parametrize("name", [None, "", FRONTIER, "kilo/auto", "kilo-auto/of-no-tier"])
def test_a_request_for_a_pseudo_model_is_served_the_decision(name):
    assert served(requested_model=name).model == SONNET


def test_a_request_for_its_own_tier_is_served_even_if_the_tier_looks_like_a_model():
    file = rules(tiers={"acme/auto": rules().tiers[FRONTIER]})
    found = served(file=file, requested_model="acme/auto", routing=routing(tier="acme/auto"))
    assert found.model == SONNET


@given(percents, st.sampled_from(list(Mode)), st.sampled_from(["hard", "needs_info", None]))
def test_what_is_served_is_the_decision_or_the_static_pick(percent, mode, difficulty):
    file = rules(mode=mode, serve_percent=percent)
    found = served(said=answer(SONNET, difficulty=difficulty), file=file)
    assert found.model == (SONNET if not found.shadow and found.reason is None else OPUS)
    assert found.shadow or mode is Mode.SERVE
