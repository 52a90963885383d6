"""Requests of every kind, good and bad, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pointsman.v1 import route_decision_pb2 as pb

from support.served import FRONTIER

STATIC_PICKS = [
    None,
    None,
    FRONTIER[0],
    FRONTIER[0],
    FRONTIER[0],
    FRONTIER[1],
    "qwen/qwen3.7-plus",
    " openai/gpt-5.5 ",
    "",
]
TASKS = ["Refactor the cache.\n", "Sort these imports by name.", "What is the capital of Peru?"]
TEXTS = [*TASKS, "Prove it.", "hello", "Why?", "  ", None]
PLAIN = [None, None, "a", "x" * 256]
IDS = [*PLAIN * 16, " a", "", "x" * 257]

prompts = st.builds(
    pb.Prompt,
    user_prompt_prefix=st.sampled_from(TEXTS),
    latest_user_prompt_prefix=st.sampled_from(TEXTS),
    system_prompt_prefix=st.sampled_from(["You help.", None]),
    api_kind=st.sampled_from([0, 1, 2, 3] * 6 + [9]),
    message_count=st.sampled_from([None, 0, 1, 5]),
    has_tools=st.booleans(),
    stream=st.booleans(),
)
callers = st.builds(
    pb.Caller,
    user_id=st.sampled_from(["user-1", "user-2"] * 12 + [" ", "x" * 257]),
    session_id=st.sampled_from(["s1", "s2", "s3"] * 6 + IDS),
    machine_id=st.sampled_from(["m1", *IDS]),
    client_request_id=st.sampled_from(IDS),
    mode=st.sampled_from(["code", *IDS]),
    user_agent=st.sampled_from(IDS),
    organization_id=st.sampled_from([None, None, None, "org", " "]),
)
routings = st.builds(
    pb.RoutingContext,
    auto_model=st.sampled_from(
        ["kilo-auto/frontier", "kilo-auto/balanced"] * 8 + ["kilo-auto/none", ""]
    ),
    candidate_models=st.lists(
        st.sampled_from([*FRONTIER * 16, "kilo-auto/frontier", "vendor/unknown", ""]),
        min_size=2,
        max_size=6,
    ),
    resolved_model=st.sampled_from(STATIC_PICKS),
)
constraints = st.builds(
    pb.Constraints,
    prompt_tokens_estimate=st.sampled_from([None, 0, 10]),
    requires_tools=st.sampled_from([False, False, True]),
    denied_models=st.lists(st.sampled_from([*FRONTIER, " "]), max_size=2),
    keep_provider=st.sampled_from([False] * 5 + [True]),
)
messages = st.builds(
    pb.RouteDecisionRequest,
    prompt=prompts,
    caller=callers,
    routing=routings,
    constraints=st.none() | st.none() | constraints,
    data_policy=st.sampled_from([0] * 6 + [1, 2, 7]),
    requested_model=st.sampled_from([""] * 6 + ["kilo-auto/frontier", "openai/gpt-5.5", "m" * 257]),
    body_bytes=st.sampled_from([0, 9]),
    classify=st.sampled_from([False] * 7 + [True]),
    dry_run=st.sampled_from([False] * 7 + [True]),
)


def drawn(strategy: st.SearchStrategy[Any], count: int) -> Iterator[Any]:
    """Examples for a test that has to await what it does with them."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    yield from found
