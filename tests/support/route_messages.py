"""Messages of `RouteDecision`, and what reading them finds wrong."""

from __future__ import annotations

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.transport.decode import (
    to_request,
)
from pointsman_server.transport.wire_parsing import parsed, whole

LONG = "x" * 257
BLANKS = ["", " ", "\n\t", "\u3000"]


def message(**changes):
    """The smallest request that is valid, and changes to it."""
    fields = {"prompt": pb.Prompt(), "caller": pb.Caller(user_id="u"), **changes}
    return pb.RouteDecisionRequest(**{k: v for k, v in fields.items() if v is not None})


def routed(**changes):
    return message(routing=pb.RoutingContext(**{"auto_model": "tier", **changes}))


def constrained(**changes):
    return message(constraints=pb.Constraints(**changes))


def said(**changes):
    return message(caller=pb.Caller(**{"user_id": "u", **changes}))


def decoded(given_message):
    """The request as it is read from the wire."""
    return to_request(whole(parsed(given_message.SerializeToString()), pb.RouteDecisionRequest))


def bad_fields(given_message):
    with pytest.raises(InvalidRequest) as caught:
        decoded(given_message)
    return [v.field for v in caught.value.violations]
