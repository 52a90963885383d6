"""Who may call."""

from __future__ import annotations

import hmac
from types import SimpleNamespace

import grpc
import pytest
from pointsman_server.transport.security.bearer_auth import BearerAuthentication, token_hash
from pointsman_server.transport.security.peer_identity import TOKEN_HOLDS, TOKEN_NAME
from support.fakes import RecordingMeter

METHOD = "/pointsman.v1.RoutingService/RouteDecision"
EDGE, BATCH = token_hash("secret-1"), token_hash("secret-2")
TOKENS = {EDGE: "edge", BATCH: "batch"}
HANDLER = object()


class Aborted(Exception):
    pass


class Context:
    def __init__(self):
        self.aborted = None

    async def abort(self, code, details, trailing_metadata):
        self.aborted = (code, details, trailing_metadata)
        raise Aborted


async def handler_for(*metadata, method=METHOD, tokens=TOKENS, meter=None, served=HANDLER):
    """The handler that a call gets: `HANDLER` where it is let in."""

    async def continuation(_call):
        return served

    call = SimpleNamespace(method=method, invocation_metadata=metadata)
    authentication = BearerAuthentication(lambda: tokens, meter=meter or RecordingMeter())
    return await authentication.intercept_service(continuation, call)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer secret-1",
        "Bearer secret-2",
        "bearer secret-1",
        "BEARER secret-1",
        "Bearer  secret-1 ",
    ],
)
async def test_a_known_token_is_let_in(header):
    assert await handler_for(("x", "y"), ("authorization", header)) is HANDLER


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer "),),
        (("authorization", "Bearer secret-3"),),
        (("authorization", "Bearer secret"),),
        (("authorization", "Bearer secret-1x"),),
        (("authorization", "Bearer SECRET-1"),),
        (("authorization", "Basic secret-1"),),
        (("authorization", "Digest secret-1"),),
        (("authorization", "secret-1"),),
        (("authorization", b"Bearer secret-1"),),
        (("x-authorization", "Bearer secret-1"),),
        # The hash is not the token.
        (("authorization", f"Bearer {EDGE}"),),
    ],
    ids=str,
)
async def test_without_a_known_token_a_call_is_refused(metadata):
    handler, context = await handler_for(*metadata), Context()
    assert handler is not HANDLER
    with pytest.raises(Aborted):
        await handler.stream_stream(None, context)
    code, text, trailers = context.aborted
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert text == "a valid bearer token is required"
    assert b"INVALID_CREDENTIALS" in dict(trailers)["grpc-status-details-bin"]
    assert "secret" not in repr(context.aborted)


@pytest.mark.parametrize(("token", "name"), [("secret-1", "edge"), ("secret-2", "batch")])
async def test_a_call_bears_the_name_of_its_token(token, name):
    await handler_for(("authorization", f"Bearer {token}"))
    assert TOKEN_NAME.get() == name


async def test_a_refused_call_is_counted_and_bears_no_name():
    meter = RecordingMeter()
    await handler_for(("authorization", "Bearer wrong"), meter=meter)
    assert meter.calls == [("pointsman.v1.RoutingService/RouteDecision", None, "UNAUTHENTICATED")]
    assert TOKEN_NAME.get() is None


async def test_a_method_that_is_not_served_is_refused_and_names_nothing_in_a_metric():
    meter = RecordingMeter()
    handler = await handler_for(method="/canary/Canary", meter=meter, served=None)
    assert handler.stream_stream is not None
    assert meter.calls == [(None, None, "UNAUTHENTICATED")]


async def test_with_no_tokens_nobody_is_let_in():
    assert await handler_for(("authorization", "Bearer secret-1"), tokens={}) is not HANDLER


async def test_tokens_are_those_of_the_moment():
    tokens = dict(TOKENS)
    metadata = ("authorization", "Bearer secret-1")
    assert await handler_for(metadata, tokens=tokens) is HANDLER
    del tokens[EDGE]
    assert await handler_for(metadata, tokens=tokens) is not HANDLER


async def test_a_call_that_was_let_in_can_ask_whether_its_token_still_holds():
    tokens = dict(TOKENS)
    await handler_for(("authorization", "Bearer secret-1"), tokens=tokens)
    holds = TOKEN_HOLDS.get()
    assert holds()
    del tokens[EDGE]
    assert not holds()
    tokens[EDGE] = "edge"
    assert holds()


async def test_without_tokens_nothing_is_asked():
    assert TOKEN_HOLDS.get()()


@pytest.mark.parametrize("method", ["Check", "Watch"])
async def test_health_is_open(method):
    assert await handler_for(method=f"/grpc.health.v1.Health/{method}") is HANDLER


@pytest.mark.parametrize(
    "method",
    [
        METHOD,
        "/pointsman.v1.RoutingService/DescribeRouting",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.HealthOfOthers/Check",
        "/x/grpc.health.v1.Health/Check",
    ],
)
async def test_everything_else_needs_a_token(method):
    assert await handler_for(method=method) is not HANDLER


async def test_every_token_is_compared_in_constant_time_wherever_the_right_one_stands(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append(other)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in ("secret-1", "secret-2", "wrong"):
        compared.clear()
        await handler_for(("authorization", f"Bearer {token}"))
        assert compared == list(TOKENS)


def test_a_tokens_hash_is_its_sha_256():
    assert token_hash("abc").startswith("ba7816bf8f01cfea414140de5dae2223")
