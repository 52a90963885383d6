"""Which of a request's models may be decided between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.candidates import default_model, select
from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    Constraints,
    Dropped,
    DropReason,
    Modality,
)
from support.builders import FRONTIER, GPT, OPUS, SONNET, catalog, denying, model, rules

IMAGE = frozenset({Modality.IMAGE})


def selected(*public_ids, known=(), constraints=NO_CONSTRAINTS):
    """The names that are left and a mapping of the dropped ones to their reason."""
    selection = select(public_ids, rules=rules(catalog=catalog(*known)), constraints=constraints)
    left = [m.public_id for m in selection.eligible]
    return left, [(d.model, d.reason) for d in selection.dropped]


def test_candidates_stay_in_the_order_given():
    assert selected(GPT, OPUS, SONNET) == ([GPT, OPUS, SONNET], [])


@pytest.mark.parametrize(
    ("known", "constraints", "reason"),
    [
        ([], NO_CONSTRAINTS, DropReason.UNMAPPED),
        ([model("x/one", router_id=None)], NO_CONSTRAINTS, DropReason.UNMAPPED),
        ([model("x/one")], denying("x/one"), DropReason.DENIED),
        ([model("x/one", experimental=True)], NO_CONSTRAINTS, DropReason.EXPERIMENTAL),
        (
            [model("x/one", inputs=frozenset())],
            Constraints(required_inputs=IMAGE),
            DropReason.INPUT_UNSUPPORTED,
        ),
        (
            [model("x/one", inputs=None)],
            Constraints(required_inputs=IMAGE),
            DropReason.INPUT_UNSUPPORTED,
        ),
        (
            [model("x/one", inputs=IMAGE)],
            Constraints(required_inputs=IMAGE | {Modality.FILE}),
            DropReason.INPUT_UNSUPPORTED,
        ),
        (
            [model("x/one", tools=False)],
            Constraints(requires_tools=True),
            DropReason.TOOLS_UNSUPPORTED,
        ),
        (
            [model("x/one", tools=None)],
            Constraints(requires_tools=True),
            DropReason.TOOLS_UNSUPPORTED,
        ),
        (
            [model("x/one", context_window=999)],
            Constraints(prompt_tokens_estimate=1_000),
            DropReason.CONTEXT_TOO_SMALL,
        ),
    ],
)
def test_a_model_that_cannot_serve_is_dropped_with_its_reason(known, constraints, reason):
    able = [
        model(name, inputs=IMAGE | {Modality.FILE}, tools=True, context_window=1_000)
        for name in (OPUS, SONNET)
    ]
    assert selected(OPUS, "x/one", SONNET, known=[*known, *able], constraints=constraints) == (
        [OPUS, SONNET],
        [("x/one", reason)],
    )


@pytest.mark.parametrize("name", [FRONTIER, "kilo/auto", "kilo-auto/of-no-tier"])
def test_a_pseudo_model_is_never_a_candidate_even_if_the_catalog_maps_it(name):
    known = [*catalog().values(), model(name)]
    assert selected(name, OPUS, known=known) == ([OPUS], [(name, DropReason.VIRTUAL)])


def test_of_two_public_ids_of_one_router_id_the_first_stays():
    known = [model("a/alias"), model("b/alias", router_id="a/alias"), model(OPUS)]
    assert selected("b/alias", OPUS, "a/alias", known=known) == (
        ["b/alias", OPUS],
        [("a/alias", DropReason.DUPLICATE)],
    )


def test_a_denied_alias_leaves_its_twin_in_the_decision():
    known = [model("a/alias"), model("b/alias", router_id="a/alias"), model(OPUS)]
    assert selected("a/alias", "b/alias", OPUS, known=known, constraints=denying("a/alias")) == (
        ["b/alias", OPUS],
        [("a/alias", DropReason.DENIED)],
    )


def test_a_model_named_twice_is_a_duplicate():
    assert selected(OPUS, OPUS) == ([OPUS], [(OPUS, DropReason.DUPLICATE)])


def test_the_first_reason_that_holds_is_the_one_given():
    known = [model("x/one", experimental=True, tools=False)]
    constraints = Constraints(requires_tools=True, denied_models=frozenset({"x/one", FRONTIER}))
    assert selected("x/one", FRONTIER, known=known, constraints=constraints) == (
        [],
        [("x/one", DropReason.DENIED), (FRONTIER, DropReason.VIRTUAL)],
    )


def test_without_constraints_what_is_not_known_of_a_model_does_not_matter():
    known = [model("x/one", inputs=None, tools=None, context_window=None)]
    assert selected("x/one", known=known) == (["x/one"], [])


WINDOWS = {"x/small": 8_000, "x/middle": 32_000, "x/large": 200_000, "x/unknown": None}


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        (None, ["x/small", "x/unknown", "x/middle", "x/large"]),
        (0, ["x/small", "x/unknown", "x/middle", "x/large"]),
        (8_000, ["x/small", "x/unknown", "x/middle", "x/large"]),
        (8_001, ["x/unknown", "x/middle", "x/large"]),
        (200_000, ["x/unknown", "x/large"]),
        (200_001, ["x/unknown", "x/large"]),
    ],
)
def test_known_windows_must_fit_and_the_largest_stays_when_none_does(tokens, left):
    known = [model(name, context_window=window) for name, window in WINDOWS.items()]
    constraints = Constraints(prompt_tokens_estimate=tokens)
    names = ["x/small", "x/unknown", "x/middle", "x/large"]
    assert selected(*names, known=known, constraints=constraints)[0] == left


def test_when_no_window_is_known_none_is_too_small():
    constraints = Constraints(prompt_tokens_estimate=1_000_000)
    assert selected(OPUS, SONNET, constraints=constraints) == ([OPUS, SONNET], [])


def test_the_largest_window_among_those_that_fit_otherwise_stays():
    """A model that was dropped for another reason cannot be the largest."""
    known = [
        model("x/huge", context_window=1_000, tools=False),
        model("x/large", context_window=100, tools=True),
        model("x/small", context_window=10, tools=True),
    ]
    constraints = Constraints(prompt_tokens_estimate=5_000, requires_tools=True)
    left, _ = selected("x/huge", "x/large", "x/small", known=known, constraints=constraints)
    assert left == ["x/large"]


@given(
    names=st.lists(st.sampled_from([*catalog(), FRONTIER, "x/unknown", "x/alias"]), max_size=32),
    denied=st.frozensets(st.sampled_from([*catalog()])),
    tokens=st.none() | st.integers(0, 300_000),
)
def test_every_candidate_is_either_eligible_or_dropped_and_order_is_kept(names, denied, tokens):
    known = [*catalog().values(), model("x/alias", router_id=model(OPUS).router_id)]
    constraints = Constraints(denied_models=denied, prompt_tokens_estimate=tokens)
    selection = select(names, rules=rules(catalog=catalog(*known)), constraints=constraints)
    left = [m.public_id for m in selection.eligible]
    assert sorted(left + [d.model for d in selection.dropped]) == sorted(names)
    rest = iter(names)
    assert all(name in rest for name in left)
    router_ids = [m.router_id for m in selection.eligible]
    assert None not in router_ids
    assert len(set(router_ids)) == len(router_ids)
    assert not denied & set(left)


def fenced(*names, provider, constraints=NO_CONSTRAINTS, known=()):
    file = rules(catalog=catalog(*(known or map(model, names))))
    return select(names, rules=file, constraints=constraints, provider=provider)


def test_the_fence_leaves_one_providers_models_and_says_why_the_others_go():
    found = fenced(OPUS, GPT, SONNET, provider="anthropic")
    assert [m.public_id for m in found.eligible] == [OPUS, SONNET]
    assert found.dropped == (Dropped(model=GPT, reason=DropReason.OTHER_PROVIDER),)


def test_a_provider_is_all_before_the_first_slash_not_a_prefix():
    found = fenced("open/one", "openai/two", "open", provider="open")
    assert [m.public_id for m in found.eligible] == ["open/one", "open"]


def test_context_windows_are_judged_behind_the_fence():
    known = [model(OPUS, context_window=1_000), model(SONNET, context_window=500), model(GPT)]
    long = Constraints(prompt_tokens_estimate=2_000)
    found = fenced(OPUS, SONNET, GPT, provider="anthropic", known=known, constraints=long)
    assert [m.public_id for m in found.eligible] == [OPUS]


@pytest.mark.parametrize(
    ("static_pick", "expected"),
    [
        (model(SONNET), SONNET),
        (None, OPUS),
        (model("z/other", router_id="z"), OPUS),
        (model("z/unmapped", router_id=None), OPUS),
        # Another public id for the same model: router ids are compared.
        (model("z/alias", router_id=model(SONNET).router_id), SONNET),
        # The same public id with another router id is another model.
        (model(SONNET, router_id="sonnet-of-old"), OPUS),
    ],
)
def test_the_default_is_the_candidate_with_the_static_picks_router_id_else_the_first(
    static_pick, expected
):
    eligible = (model(OPUS), model(SONNET))
    assert default_model(eligible, static_pick).public_id == expected
