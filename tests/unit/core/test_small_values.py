"""Ids, sample rates, fallback order, reasons for a switch, names for telemetry."""

from __future__ import annotations

import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.conversation_slot import (
    EFFORT_AT,
    UNWEIGHED_HARD,
    ConversationSlot,
    dump,
)
from pointsman_server.core.deadlines import answer_by, read_by
from pointsman_server.core.decision_record import DEFAULT_RATE, effective_rate
from pointsman_server.core.effort import is_hardest
from pointsman_server.core.ids import AHEAD, ENTROPY_BYTES, DecisionIds
from pointsman_server.core.model import RankedModel, Stickiness, SwitchReason, Tier
from pointsman_server.core.policy_file import UNLISTED
from pointsman_server.core.stickiness import fallback_models, is_sticky, switch_reason
from support.builders import FRONTIER, GPT, OPUS, SONNET, answer, model, rules
from support.fakes import FakeClock

entropies = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)
moments = st.integers(0, 2**48 - 10)
ELIGIBLE = [model(OPUS), model(SONNET), model(GPT)]


@given(st.integers(0, 2**40), entropies)
def test_a_decision_id_is_a_uuid_of_version_7_that_holds_its_millisecond(eighths, entropy):
    text = made(entropy, at=eighths / 8)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == eighths * 125


@given(moments, entropies, entropies)
def test_ids_sort_by_time(moment, one, other):
    assert made(one, at=moment / 1_000) < made(other, at=(moment + 2) / 1_000)


@given(entropies, entropies)
def test_ids_of_one_moment_differ_as_their_entropy_does(one, other):
    free = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    bits = [int.from_bytes(e, "big") & free for e in (one, other)]
    assert (made(one) == made(other)) == (bits[0] == bits[1])


def test_no_id_is_made_twice_and_each_has_the_time_of_its_making():
    clock = FakeClock()
    new_id = DecisionIds(clock=clock, entropy=os.urandom)
    made = []
    for _ in range(3 * AHEAD):
        clock.advance(0.0005)
        made.append((new_id(), int(clock.time() * 1_000)))
    assert len({text for text, _ in made}) == len(made)
    assert [uuid.UUID(text).int >> 80 for text, _ in made] == [at for _, at in made]


def made(entropy: bytes, *, at: float = 1.0) -> str:
    """The id of a moment with these random bytes."""
    return DecisionIds(clock=FakeClock(epoch=at), entropy=lambda _: entropy)()


@pytest.mark.parametrize(
    ("raw", "rate"),
    [
        (None, DEFAULT_RATE),
        ("", DEFAULT_RATE),
        ("  ", DEFAULT_RATE),
        ("abc", DEFAULT_RATE),
        ("1.5", DEFAULT_RATE),
        ("-0.1", DEFAULT_RATE),
        ("nan", DEFAULT_RATE),
        ("inf", DEFAULT_RATE),
        ("0", 0.0),
        ("1", 1.0),
        ("0.5", 0.5),
        (" 0.5\n", 0.5),
        ("1e-3", 0.001),
    ],
)
def test_a_sample_rate_is_a_share_or_the_default(raw, rate):
    assert effective_rate(raw) == rate


@given(st.none() | st.text())
def test_a_sample_rate_of_any_text_is_a_share(raw):
    assert 0.0 <= effective_rate(raw) <= 1.0


@pytest.mark.parametrize(
    ("incumbent", "chosen", "stickiness", "reason"),
    [
        (None, OPUS, Stickiness.EXACT, None),
        (OPUS, OPUS, Stickiness.EXACT, None),
        ("x/gone", "x/gone", Stickiness.EXACT, None),
        (OPUS, SONNET, Stickiness.EXACT, SwitchReason.REDECIDED),
        (OPUS, SONNET, Stickiness.CONVERSATION, SwitchReason.REDECIDED),
        # Not weighed against the remembered model: the gateway is on one that may not serve.
        (OPUS, SONNET, Stickiness.ADAPTIVE, SwitchReason.INELIGIBLE),
        ("x/gone", SONNET, Stickiness.EXACT, SwitchReason.INELIGIBLE),
    ],
)
def test_a_switch_has_a_reason_and_a_stay_has_none(incumbent, chosen, stickiness, reason):
    slot = None
    if incumbent is not None:
        slot = ConversationSlot(routed=incumbent, router_model=model(incumbent).router_id)
    assert switch_reason(slot, answer(chosen), ELIGIBLE, stickiness) is reason


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize("effort", [None, *(n / 10 for n in range(10, 51))], ids=str)
def test_the_effort_byte_of_a_slot_tells_an_unweighed_hard_decision(effort, compared):
    slot = ConversationSlot(served=OPUS, routed=OPUS, effort=effort, compared=compared)
    assert (dump(slot)[EFFORT_AT] in UNWEIGHED_HARD) is slot.is_unweighed_hard
    assert slot.is_unweighed_hard is (not compared and is_hardest(effort))


@pytest.mark.parametrize(
    ("cached", "stickiness", "sticky"),
    [
        (True, Stickiness.CONVERSATION, True),
        (True, Stickiness.EXACT, False),
        (False, Stickiness.CONVERSATION, False),
    ],
)
def test_a_kept_answer_is_sticky_where_it_holds_for_the_conversation(cached, stickiness, sticky):
    assert is_sticky(answer(cached=cached), stickiness) is sticky


@pytest.mark.parametrize(
    ("ranking", "default", "order"),
    [
        ((), OPUS, (OPUS, GPT)),
        ((), GPT, (GPT, OPUS)),
        ((), SONNET, (OPUS, GPT)),
        ((SONNET, GPT, OPUS), OPUS, (GPT, OPUS)),
        # A ranking that does not name all, or names what is not eligible.
        ((GPT,), OPUS, (GPT, OPUS)),
        (("x/other", GPT), OPUS, (GPT, OPUS)),
    ],
)
def test_fallbacks_are_the_other_candidates_best_first(ranking, default, order):
    said = answer(SONNET, ranking=tuple(RankedModel(model=name) for name in ranking))
    assert fallback_models(said, ELIGIBLE, model(default)) == order


@pytest.mark.parametrize(
    ("name", "told"),
    [(OPUS, OPUS), (FRONTIER, FRONTIER), ("a secret", UNLISTED), ("", UNLISTED), (None, None)],
)
def test_telemetry_names_only_what_the_policy_file_knows(name, told):
    assert rules().listed(name) == told


def test_the_requests_candidates_win_over_those_of_its_tier():
    tier = Tier(
        name=FRONTIER, policy="balanced", stickiness=Stickiness.EXACT, default_candidates=(GPT,)
    )
    assert rules().candidate_ids((OPUS, SONNET), tier) == (OPUS, SONNET)
    assert rules().candidate_ids((), tier) == (GPT,)


@pytest.mark.parametrize(
    ("left", "margin"),
    [(0.05, 0.03), (0.3, 0.03), (1.0, 0.1), (2.0, 0.2), (2.5, 0.25), (60.0, 0.25), (-1.0, 0.03)],
)
def test_a_share_of_the_caller_s_time_is_left_for_an_answer_without_a_slow_engine(left, margin):
    assert answer_by(1_000.0 + left, now=1_000.0) == pytest.approx(1_000.0 + left - margin)


def test_a_caller_without_a_deadline_leaves_the_engines_their_own_time():
    assert answer_by(None, now=1_000.0) is None
    assert read_by(None) is None


@pytest.mark.parametrize("left", [0.02, 0.1, 0.4, 2.0, 60.0])
def test_readers_are_done_before_the_callers_deadline(left):
    cut_off = answer_by(1_000.0 + left, now=1_000.0)
    assert cut_off < read_by(cut_off) <= 1_000.0 + left - 0.01 + 1e-6
