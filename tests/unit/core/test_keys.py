"""Keys: what identifies a conversation, a content and a decision, and what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pointsman_server.core.keys import KEY_BYTES, Keys, encode, fingerprint, message_bucket
from pointsman_server.core.model import ApiKind, ConversationSource, DataPolicy, Stickiness
from support.builders import FRONTIER, SMALL, caller, prompt, request, routing

KEYS = Keys(b"secret")
# Few and short, so that parts often meet across borders; and with what separators are made of.
texts = st.text(alphabet=":|\x00a1snbi\ud800😀", max_size=4)
parts = st.lists(st.none() | texts | st.binary(max_size=4) | st.integers(-300, 300), max_size=4)


def conversation(**changes):
    return KEYS.conversation(request(**changes))


def decision_key(
    *, stickiness=Stickiness.EXACT, conversation=b"conversation", mark=b"mark", **changes
):
    return KEYS.decision(
        conversation=conversation, fingerprint=mark, stickiness=stickiness, prompt=prompt(**changes)
    )


@given(parts, parts)
def test_no_two_different_tuples_share_a_form(one, other):
    typed = [[(type(p), p) for p in each] for each in (one, other)]
    assert (encode(one) == encode(other)) == (typed[0] == typed[1])


@given(st.lists(texts, min_size=2, max_size=5), st.integers(1, 20))
def test_moving_a_border_between_parts_changes_the_form(strings, cut):
    joined = "".join(strings)
    cut %= len(joined) + 1
    moved = [joined[:cut], joined[cut:]]
    assume(moved != strings)
    assert encode(strings) != encode(moved)


def test_keys_are_short_and_depend_on_the_secret():
    key, _ = conversation()
    assert len(key) == KEY_BYTES
    assert Keys(b"another").conversation(request())[0] != key
    assert Keys(b"secret").conversation(request())[0] == key


# ---------------------------------------------------------------- conversation


@pytest.mark.parametrize(
    ("ids", "source"),
    [
        ({"session_id": "s", "machine_id": "m"}, ConversationSource.SESSION),
        ({"session_id": None, "machine_id": "m"}, ConversationSource.MACHINE),
        ({"session_id": None, "machine_id": None}, ConversationSource.CONTENT),
    ],
)
def test_session_then_machine_then_content_identifies_the_conversation(ids, source):
    assert conversation(caller=caller(**ids))[1] is source


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "user-2"},
        {"organization_id": "org-1"},
        {"session_id": "session-2"},
        {"session_id": None, "machine_id": "session-1"},
    ],
    ids=str,
)
def test_equal_session_ids_of_other_people_are_other_conversations(changes):
    assert conversation(caller=caller(**changes))[0] != conversation()[0]


def test_organisations_are_apart_even_for_the_same_user_and_session():
    one = conversation(caller=caller(organization_id="org-1"))[0]
    assert one != conversation(caller=caller(organization_id="org-2"))[0]


def test_ids_that_hold_separators_do_not_collide():
    one = caller(user_id="anon:1.2.3.4", session_id=":task:1")
    other = caller(user_id="anon:1.2.3.4:", session_id="task:1")
    assert conversation(caller=one)[0] != conversation(caller=other)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": caller(machine_id="machine-2")},
        {"caller": caller(client_request_id="r2", mode="plan", user_agent="agent/2")},
        {"prompt": prompt("Another prompt", message_count=40, has_tools=True)},
        {"routing": routing(tier=SMALL, static_pick=None)},
        {"requested_model": "x/y", "body_bytes": 7, "classify": True, "dry_run": True},
        {"data_policy": DataPolicy.THIRD_PARTY_DENIED},
    ],
    ids=str,
)
def test_a_session_stays_one_conversation_whatever_else_changes(changes):
    assert conversation(**changes)[0] == conversation()[0]


def test_without_session_and_machine_other_content_is_another_conversation():
    nobody = caller(session_id=None)
    assert (
        conversation(caller=nobody)[0]
        != conversation(caller=nobody, prompt=prompt("Another prompt"))[0]
    )


def test_a_deeper_conversation_without_ids_stays_the_same_one():
    nobody = caller(session_id=None)
    assert conversation(caller=nobody, prompt=prompt(message_count=2)) == conversation(
        caller=nobody, prompt=prompt(message_count=64)
    )


# ---------------------------------------------------------------- content

LONG = "x" * 999


@pytest.mark.parametrize(
    "changes",
    [
        {"api_kind": ApiKind.MESSAGES},
        {"has_tools": True},
        {"system": "You are a bot"},
        {"first": "The opening"},
        {"latest": "Another"},
        {"latest": None, "first": "Fix the parser"},
    ],
    ids=str,
)
def test_content_tells_apart_all_that_an_engine_or_its_answer_could_depend_on(changes):
    base = prompt()
    assert KEYS.content(replace(base, **changes)) != KEYS.content(base)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": True},
        {"message_count": 12},
        {"latest": "  Fix the parser\n"},
        {"first": ""},
        {"first": "  "},
        {"system": ""},
    ],
    ids=str,
)
def test_content_ignores_what_no_engine_could_see(changes):
    base = prompt()
    assert KEYS.content(replace(base, **changes)) == KEYS.content(base)


def test_prompts_that_differ_in_their_last_character_that_engines_see_differ_in_key():
    assert KEYS.content(prompt(LONG + "a")) != KEYS.content(prompt(LONG + "b"))


@pytest.mark.parametrize(("position", "same"), [(199, False), (200, True)])
def test_the_first_200_code_points_of_the_system_prompt_count(position, same):
    one, other = ("s" * position + end for end in "ab")
    assert (KEYS.content(prompt(system=one)) == KEYS.content(prompt(system=other))) is same


# ---------------------------------------------------------------- decision


@pytest.mark.parametrize(
    ("count", "bucket"),
    [(None, -1), (0, -1), (1, 0), (2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (2**32 - 1, 31)],
)
def test_message_counts_fall_into_buckets_of_powers_of_two(count, bucket):
    assert message_bucket(count) == bucket


@given(st.integers(1, 2**32 - 1))
def test_a_bucket_is_the_whole_part_of_the_binary_logarithm(count):
    assert 2 ** message_bucket(count) <= count < 2 ** (message_bucket(count) + 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(4, 7, True), (2, 64, False), (None, 0, True), (None, 1, False), (7, 8, False)],
)
def test_exact_decisions_are_shared_within_a_bucket(one, other, same):
    assert (decision_key(message_count=one) == decision_key(message_count=other)) is same


@pytest.mark.parametrize(
    ("stickiness", "same"), [(Stickiness.EXACT, False), (Stickiness.CONVERSATION, True)]
)
@pytest.mark.parametrize("changes", [{"system": "Be brief"}, {"message_count": 64}], ids=str)
def test_exact_decisions_hold_for_one_content_and_conversation_decisions_for_all(
    stickiness, same, changes
):
    one = decision_key(stickiness=stickiness)
    assert (decision_key(stickiness=stickiness, **changes) == one) is same


@pytest.mark.parametrize(
    "changes",
    [
        {"system": "Be brief"},
        {"first": "The summary of a compaction"},
        {"message_count": 64, "has_tools": True, "api_kind": ApiKind.MESSAGES},
        {"latest": "  Fix the parser\n"},
        {"latest": " ", "first": "Fix the parser"},
    ],
    ids=str,
)
def test_an_adaptive_decision_holds_for_the_words_that_engines_see(changes):
    one = decision_key(stickiness=Stickiness.ADAPTIVE)
    assert decision_key(stickiness=Stickiness.ADAPTIVE, **changes) == one
    assert decision_key(stickiness=Stickiness.ADAPTIVE, latest="Another") != one


@pytest.mark.parametrize("stickiness", list(Stickiness))
def test_a_decision_belongs_to_one_conversation_and_one_fingerprint(stickiness):
    keys = {
        decision_key(stickiness=stickiness),
        decision_key(stickiness=stickiness, conversation=b"other"),
        decision_key(stickiness=stickiness, mark=b"other"),
    }
    assert len(keys) == 3


def test_no_two_kinds_of_key_of_one_conversation_are_equal():
    key, _ = conversation()
    kinds = [
        key,
        *(decision_key(conversation=key, stickiness=s) for s in Stickiness),
        KEYS.content(prompt()),
    ]
    assert max(Counter(kinds).values()) == 1


# ---------------------------------------------------------------- fingerprint

MARK = {
    "policy": "balanced",
    "router_ids": ("a", "b", "c"),
    "default": "a",
    "engines": ("morph", "local"),
    "rules": b"digest",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": "cost_efficient"},
        {"router_ids": ("a", "b")},
        {"router_ids": ("a", "b", "d")},
        {"router_ids": ("a", "b", "c", "c")},
        {"default": "b"},
        {"engines": ("local",)},
        {"engines": ("local", "morph")},
        {"engines": ()},
        {"rules": b"another"},
        # The border between router ids and engines.
        {"router_ids": ("a", "b", "c", "morph"), "engines": ("local",)},
    ],
    ids=str,
)
def test_a_fingerprint_changes_with_all_that_a_decision_depends_on(changes):
    assert fingerprint(**{**MARK, **changes}) != fingerprint(**MARK)


@given(st.permutations(MARK["router_ids"]))
def test_a_fingerprint_is_short_and_does_not_depend_on_the_order_of_candidates(router_ids):
    assert len(fingerprint(**MARK)) == KEY_BYTES
    assert fingerprint(**{**MARK, "router_ids": tuple(router_ids)}) == fingerprint(**MARK)


# ---------------------------------------------------------------- tags


def test_a_tag_is_a_keyed_hash_of_sixteen_hex_digits():
    tag = KEYS.tag("user", "user-1")
    assert len(tag) == 16
    assert int(tag, 16) >= 0
    assert tag != Keys(b"another").tag("user", "user-1")
    assert tag != KEYS.tag("session", "user-1")
    assert KEYS.tag("user", None) is None


def test_the_tier_is_no_part_of_the_conversation():
    assert conversation(routing=routing(tier=FRONTIER)) == conversation(routing=routing(tier=SMALL))
