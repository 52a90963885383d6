"""Wire request -> value: every field within its bounds, whatever the bytes are."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1.describe_routing_pb2 import DescribeRoutingRequest
from pointsman.v1.resolve_route_pb2 import ResolveRouteRequest
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    ApiKind,
    Caller,
    Constraints,
    DataPolicy,
    Modality,
    Prompt,
    RouteRequest,
    RoutingContext,
)
from pointsman_server.transport.decode import (
    API_KINDS,
    DATA_POLICIES,
    MODALITIES,
    to_request,
)
from pointsman_server.transport.wire_parsing import parsed, reader, whole
from support.route_messages import BLANKS, bad_fields, constrained, decoded, message, said

REQUEST_BYTES = 64 * 1024


def test_a_whole_request_is_read():
    found = to_request(
        pb.RouteDecisionRequest(
            prompt=pb.Prompt(
                user_prompt_prefix="first",
                latest_user_prompt_prefix="latest",
                system_prompt_prefix="system",
                api_kind=pb.API_KIND_MESSAGES,
                message_count=3,
                has_tools=True,
                stream=True,
            ),
            caller=pb.Caller(
                user_id="user",
                session_id="session",
                machine_id="machine",
                client_request_id="request",
                mode="code",
                user_agent="agent",
                organization_id="org",
            ),
            routing=pb.RoutingContext(
                auto_model="tier", candidate_models=["b", "a"], resolved_model="static"
            ),
            data_policy=pb.DATA_POLICY_THIRD_PARTY_DENIED,
            constraints=pb.Constraints(
                required_inputs=[pb.MODALITY_IMAGE, pb.MODALITY_VIDEO, pb.MODALITY_IMAGE],
                prompt_tokens_estimate=9,
                requires_tools=True,
                denied_models=["d", "d"],
                keep_provider=True,
            ),
            requested_model="requested",
            body_bytes=2**63,
            classify=True,
            dry_run=True,
        )
    )
    assert found == RouteRequest(
        prompt=Prompt(
            first="first",
            latest="latest",
            system="system",
            api_kind=ApiKind.MESSAGES,
            message_count=3,
            has_tools=True,
            stream=True,
        ),
        caller=Caller(
            user_id="user",
            session_id="session",
            machine_id="machine",
            client_request_id="request",
            mode="code",
            user_agent="agent",
            organization_id="org",
        ),
        routing=RoutingContext(
            auto_model="tier", candidate_models=("b", "a"), resolved_model="static"
        ),
        data_policy=DataPolicy.THIRD_PARTY_DENIED,
        constraints=Constraints(
            required_inputs=frozenset({Modality.IMAGE, Modality.VIDEO}),
            prompt_tokens_estimate=9,
            requires_tools=True,
            denied_models=frozenset({"d"}),
            keep_provider=True,
        ),
        requested_model="requested",
        body_bytes=2**63,
        classify=True,
        dry_run=True,
    )


def test_what_is_absent_stays_absent():
    assert to_request(message()) == RouteRequest(
        prompt=Prompt(), caller=Caller(user_id="u"), routing=None, constraints=NO_CONSTRAINTS
    )


def test_a_count_of_zero_is_not_absent():
    assert to_request(message(prompt=pb.Prompt(message_count=0))).prompt.message_count == 0
    assert to_request(constrained(prompt_tokens_estimate=0)).constraints.prompt_tokens_estimate == 0


def test_an_empty_routing_context_is_not_absent():
    assert bad_fields(message(routing=pb.RoutingContext())) == ["routing.auto_model"]


# ---------------------------------------------------------------- bounds


def test_32_candidates_and_256_denied_models_are_within_bounds():
    found = to_request(
        message(
            routing=pb.RoutingContext(auto_model="t", candidate_models=map(str, range(32))),
            constraints=pb.Constraints(denied_models=map(str, range(256))),
        )
    )
    assert len(found.routing.candidate_models) == 32
    assert len(found.constraints.denied_models) == 256


def test_256_characters_are_within_bounds_however_many_bytes_they_are():
    assert to_request(said(user_id="🚂" * 256)).caller.user_id == "🚂" * 256


def test_ids_are_trimmed_before_they_are_measured():
    found = to_request(
        message(
            caller=pb.Caller(user_id=f" {'u' * 256}\n", session_id=" s "),
            routing=pb.RoutingContext(
                auto_model=" t ", candidate_models=[" c "], resolved_model=" r "
            ),
            constraints=pb.Constraints(denied_models=[" d "]),
            requested_model=f" {'m' * 256} ",
        )
    )
    assert found.caller == Caller(user_id="u" * 256, session_id="s")
    assert found.routing == RoutingContext(
        auto_model="t", candidate_models=("c",), resolved_model="r"
    )
    assert found.constraints.denied_models == {"d"}
    assert found.requested_model == "m" * 256


@pytest.mark.parametrize("text", BLANKS)
def test_a_blank_requested_model_is_none(text):
    assert to_request(message(requested_model=text)).requested_model is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 1_001, "x" * 1_000),
        ("🚂" * 1_001, "🚂" * 1_000),
        (" " * 2_000 + "x" * 1_001, "x" * 1_000),
        ("  text \n", "text"),
        ("", ""),
        ("   ", ""),
    ],
    ids=["letters", "pairs", "leading blanks", "padded", "empty", "blank"],
)
@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("user_prompt_prefix", "first"),
        ("latest_user_prompt_prefix", "latest"),
        ("system_prompt_prefix", "system"),
    ],
)
def test_prefixes_are_trimmed_and_cut_and_never_refused(field, attribute, text, kept):
    found = to_request(message(prompt=pb.Prompt(**{field: text})))
    assert getattr(found.prompt, attribute) == kept


def test_a_request_of_64_kib_is_read_and_one_byte_more_is_refused_as_a_whole():
    base = message(prompt=pb.Prompt(user_prompt_prefix="x"))
    room = REQUEST_BYTES - base.ByteSize()
    for extra, fits in ((0, True), (1, False)):
        for pad in range(room - 10 + extra, room + 2 + extra):
            base.prompt.user_prompt_prefix = "x" * pad
            if base.ByteSize() == REQUEST_BYTES + extra:
                break
        assert base.ByteSize() == REQUEST_BYTES + extra
        if fits:
            assert len(decoded(base).prompt.first) == 1_000
        else:
            assert bad_fields(base) == ["request"]


def test_of_a_request_that_is_too_large_only_the_size_is_told():
    given_message = message(caller=pb.Caller(user_id=" ", mode="m" * 70_000))
    assert bad_fields(given_message) == ["request"]


def test_what_a_newer_gateway_sends_besides_is_ignored():
    raw = message().SerializeToString() + b"\xfa\x3f\x03new"
    assert to_request(pb.RouteDecisionRequest.FromString(raw)) == to_request(message())


# ---------------------------------------------------------------- totality


@pytest.mark.parametrize(
    ("wire", "core", "table", "unspecified"),
    [
        (pb.ApiKind, ApiKind, API_KINDS, True),
        (pb.DataPolicy, DataPolicy, DATA_POLICIES, True),
        (pb.Modality, Modality, MODALITIES, False),
    ],
    ids=["api kind", "data policy", "modality"],
)
def test_each_value_of_the_contracts_enums_is_read_as_its_namesake(wire, core, table, unspecified):
    numbers = [n for n in wire.values() if n or unspecified]
    assert sorted(table) == sorted(numbers)
    assert {*table.values()} == {*core}
    assert all(wire.Name(number).endswith(f"_{value.name}") for number, value in table.items())


texts = st.text(max_size=300)
optional_texts = st.none() | texts
numbers = st.integers(-1, 6)


@st.composite
def messages(draw):
    """Requests with any text and any enum number."""
    prompt = pb.Prompt(
        user_prompt_prefix=draw(st.none() | st.text(max_size=1_200)),
        latest_user_prompt_prefix=draw(optional_texts),
        system_prompt_prefix=draw(optional_texts),
        api_kind=draw(numbers),
        message_count=draw(st.none() | st.integers(0, 2**32 - 1)),
    )
    caller = pb.Caller(
        user_id=draw(texts), **{name: draw(optional_texts) for name in ("session_id", "mode")}
    )
    routing = pb.RoutingContext(
        auto_model=draw(texts),
        candidate_models=draw(st.lists(st.text(max_size=3), max_size=35)),
        resolved_model=draw(optional_texts),
    )
    constraints = pb.Constraints(
        required_inputs=draw(st.lists(numbers, max_size=5)),
        denied_models=draw(st.lists(texts, max_size=3)),
    )
    return message(
        prompt=draw(st.sampled_from([prompt, None])),
        caller=draw(st.sampled_from([caller, None])),
        routing=draw(st.sampled_from([routing, None])),
        constraints=draw(st.sampled_from([constraints, None])),
        data_policy=draw(numbers),
        requested_model=draw(texts),
    )


def read(given_message):
    """The request, or what is wrong with it."""
    try:
        return to_request(given_message), ()
    except InvalidRequest as error:
        return None, error.violations


@given(messages())
def test_a_request_is_refused_with_names_or_within_all_bounds(given_message):
    found, violations = read(given_message)
    assert all(v.field and v.description for v in violations)
    assert len({v.field for v in violations}) == len(violations)
    assert (found is None) == bool(violations)
    if found is None:
        return
    for text in (found.prompt.first, found.prompt.latest, found.prompt.system):
        assert text is None or len(text) <= 1_000
    ids = [found.caller.user_id, found.caller.session_id, found.caller.mode, found.requested_model]
    if found.routing:
        assert len(found.routing.candidate_models) <= 32
        ids += [found.routing.auto_model, *found.routing.candidate_models]
        ids += [found.routing.resolved_model]
    ids += found.constraints.denied_models
    assert all(i is None or (0 < len(i) <= 256 and i == i.strip()) for i in ids)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused_as_a_whole(wire):
    with suppress(InvalidRequest):
        assert isinstance(to_request(whole(parsed(wire), pb.RouteDecisionRequest)), RouteRequest)


@pytest.mark.parametrize("kind", [ResolveRouteRequest, DescribeRoutingRequest])
def test_bytes_that_are_no_message_are_refused_and_not_quoted(kind: type) -> None:
    with pytest.raises(InvalidRequest) as refused:
        whole(reader(kind)(b"\xed\xa0\x80"), kind)
    assert [v.field for v in refused.value.violations] == ["request"]
    assert kind.DESCRIPTOR.name in refused.value.violations[0].description
    assert whole(reader(kind)(b""), kind) == kind()
