"""Bad fields of a request: each is named by its path, all at once, within bounds."""

from __future__ import annotations

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.transport.decode import (
    to_request,
)
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.validation import Fields
from support.route_messages import BLANKS, LONG, bad_fields, constrained, message, routed, said

OPTIONAL = [
    "session_id",
    "machine_id",
    "client_request_id",
    "mode",
    "user_agent",
    "organization_id",
]
ONE_BAD = [
    (message(prompt=None), "prompt"),
    (message(caller=None), "caller"),
    (said(user_id=LONG), "caller.user_id"),
    *((said(user_id=blank), "caller.user_id") for blank in BLANKS),
    *((said(**{name: blank}), f"caller.{name}") for name in OPTIONAL for blank in BLANKS),
    *((said(**{name: LONG}), f"caller.{name}") for name in OPTIONAL),
    *((routed(auto_model=text), "routing.auto_model") for text in [*BLANKS, LONG]),
    *((routed(resolved_model=text), "routing.resolved_model") for text in [*BLANKS, LONG]),
    *(
        (routed(candidate_models=["a", text, "b"]), "routing.candidate_models[1]")
        for text in [*BLANKS, LONG]
    ),
    (routed(candidate_models=["m"] * 33), "routing.candidate_models"),
    (constrained(denied_models=["a", " "]), "constraints.denied_models[1]"),
    (constrained(denied_models=[LONG]), "constraints.denied_models[0]"),
    (constrained(denied_models=["m"] * 257), "constraints.denied_models"),
    (constrained(required_inputs=[1, 99]), "constraints.required_inputs[1]"),
    (constrained(required_inputs=[0]), "constraints.required_inputs[0]"),
    (message(prompt=pb.Prompt(api_kind=99)), "prompt.api_kind"),
    (message(prompt=pb.Prompt(api_kind=-1)), "prompt.api_kind"),
    (message(data_policy=99), "data_policy"),
    (message(requested_model=LONG), "requested_model"),
]


@pytest.mark.parametrize(("given_message", "field"), ONE_BAD, ids=[f for _, f in ONE_BAD])
def test_a_field_out_of_bounds_is_named_by_its_path(given_message, field):
    assert bad_fields(given_message) == [field]


def test_every_bad_field_is_named_at_once():
    given_message = pb.RouteDecisionRequest(
        prompt=pb.Prompt(api_kind=99),
        caller=pb.Caller(session_id=" ", machine_id=LONG, organization_id=""),
        routing=pb.RoutingContext(candidate_models=["ok", ""], resolved_model=LONG),
        data_policy=99,
        constraints=pb.Constraints(required_inputs=[99], denied_models=[" "]),
        requested_model=LONG,
    )
    assert bad_fields(given_message) == [
        "prompt.api_kind",
        "caller.user_id",
        "caller.session_id",
        "caller.machine_id",
        "caller.organization_id",
        "routing.auto_model",
        "routing.candidate_models[1]",
        "routing.resolved_model",
        "data_policy",
        "constraints.required_inputs[0]",
        "constraints.denied_models[0]",
        "requested_model",
    ]


def test_of_a_list_full_of_bad_entries_a_few_are_named_and_the_others_counted():
    found = bad_fields(constrained(denied_models=[" "] * 20))
    assert found == [
        *(f"constraints.denied_models[{i}]" for i in range(4)),
        "constraints.denied_models",
    ]
    with pytest.raises(InvalidRequest, match=r"denied_models: has 16 more bad entries"):
        to_request(constrained(denied_models=[" "] * 20))


def test_a_few_bad_entries_are_all_named():
    assert bad_fields(constrained(denied_models=[" "] * 4)) == [
        f"constraints.denied_models[{i}]" for i in range(4)
    ]


def worst():
    """As many bad fields as a request can have."""
    return pb.RouteDecisionRequest(
        prompt=pb.Prompt(api_kind=99),
        caller=pb.Caller(user_id=LONG, **dict.fromkeys(OPTIONAL, LONG)),
        routing=pb.RoutingContext(
            auto_model=LONG, candidate_models=[LONG] * 32, resolved_model=LONG
        ),
        data_policy=99,
        constraints=pb.Constraints(
            required_inputs=[2**31 - 1] * 500, denied_models=[" "] * 200 + [LONG] * 56
        ),
        requested_model=LONG,
    )


def test_of_many_bad_entries_no_more_are_put_into_words_than_are_named(monkeypatch):
    put, bad = [], Fields.bad

    def counted(fields, *words):
        put.append(words)
        bad(fields, *words)

    monkeypatch.setattr(Fields, "bad", counted)
    with pytest.raises(InvalidRequest) as caught:
        to_request(constrained(required_inputs=[1, 99] * 10_000))
    field = "constraints.required_inputs"
    named = [(f"{field}[{i}]", "99 is not a value of this enum") for i in (1, 3, 5, 7)]
    assert put == [*named, (field, "has 9996 more bad entries")]
    assert [(v.field, v.description) for v in caught.value.violations] == put


def test_the_status_of_the_worst_request_fits_the_metadata_that_a_client_takes():
    with pytest.raises(InvalidRequest) as caught:
        to_request(worst())
    status = to_status(caught.value)
    size = len(status.details) + sum(len(v) * 4 / 3 for _, v in status.trailing_metadata)
    # gRPC drops calls whose trailers have more than 8 KiB, and not with this status.
    assert size < 7 * 1024


def test_descriptions_do_not_repeat_what_the_caller_sent():
    canary = "canary" + LONG
    given_message = message(
        caller=pb.Caller(user_id=canary, mode=canary),
        routing=pb.RoutingContext(auto_model=canary, candidate_models=[canary]),
        requested_model=canary,
    )
    with pytest.raises(InvalidRequest) as caught:
        to_request(given_message)
    assert "canary" not in str(caught.value)
