"""The HTTP listener over real sockets: JSON, Connect, gRPC-Web, probes, tokens, TLS, abuse."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_codecs
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf import json_format
from google.rpc import error_details_pb2
from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from support.certificates import Authority
from support.json_calls import DECIDE, JSON, SERVICE, TOKEN, body, client
from support.served import Peer, Starter, request


async def test_json_and_grpc_get_the_same_decision(peer: Peer, http: httpx.AsyncClient) -> None:
    by_grpc = await peer.decide(request())
    answer = await http.post(DECIDE, json=body())

    assert answer.status_code == 200
    found = json_format.ParseDict(answer.json(), pb.RouteDecisionResponse())
    assert found.decision.cached
    assert (found.serve_model, found.decision.model) == (
        by_grpc.serve_model,
        by_grpc.decision.model,
    )


async def test_what_curl_sends_is_read_as_json(http: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers in (form, {}):
        answer = await http.post(DECIDE, content=json.dumps(body()), headers=headers)
        assert answer.json()["outcome"] == "OUTCOME_ROUTED"


async def test_a_page_of_a_browser_may_not_send_a_form(http: httpx.AsyncClient) -> None:
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "origin": "https://evil.example",
    }
    answer = await http.post(DECIDE, content=json.dumps(body()), headers=headers)
    assert answer.status_code == 415
    assert "access-control-allow-origin" not in answer.headers


def violations(answer: httpx.Response) -> dict[str, str]:
    """The bad fields in the details of an error, as gRPC has them."""
    details = {each["type"]: each["value"] for each in answer.json()["details"]}
    assert details.keys() == {"google.rpc.ErrorInfo", "google.rpc.BadRequest"}
    wire = base64.b64decode(details["google.rpc.BadRequest"] + "==")
    found = error_details_pb2.BadRequest.FromString(wire).field_violations
    return {each.field: each.description for each in found}


BAD = {
    "unknown field": ('{"prompt": {"userPrompt": "x"}}', "prompt.userPrompt", "Prefix?"),
    "wrong type": ('{"caller": {"userId": 7}}', "caller.user_id", "must be a string"),
    "no value of the enum": ('{"dataPolicy": "X"}', "data_policy", "PARTY_DENIED"),
    "no list": ('{"routing": {"candidateModels": "x"}}', "routing.candidate_models", "a list"),
    "in a list": ('{"routing": {"candidateModels": [1]}}', "routing.candidate_models[0]", "string"),
    "no object": ('{"prompt": 1}', "prompt", "must be an object"),
    "negative": ('{"prompt": {"messageCount": -1}}', "prompt.message_count", "at least 0"),
    "half a character": ('{"caller": {"userId": "\\ud800"}}', "caller.user_id", "Unicode"),
    "unprintable": ('{"\\ud800\\n": 1}', "??", "has no such field"),
    "cut off": ("{", "request", "JSON"),
    "a list": ("[]", "request", "JSON"),
    "no text": ("\xff", "request", "JSON"),
    "twice": ('{"prompt": {}, "prompt": {}}', "request", "duplicate"),
    "empty": ("{}", "prompt", "is required"),
    "nothing": ("", "caller", "is required"),
    "deep": ('{"prompt":' * 5_000, "request", "JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "field", "said"), BAD.values(), ids=BAD)
async def test_bad_input_names_its_field(
    http: httpx.AsyncClient, content: str, field: str, said: str
) -> None:
    answer = await http.post(DECIDE, content=content.encode("latin-1"), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert said in violations(answer)[field]
    assert f"{field}: {violations(answer)[field]}" in answer.json()["message"]


async def test_every_bad_field_is_named_where_it_stands(http: httpx.AsyncClient) -> None:
    bad = {"requests": [body(), {"prompt": {"text": "x"}, "caller": {"userId": 1}}], "more": 1}
    answer = await http.post(f"/{SERVICE}/BatchRouteDecisions", json=bad)
    named = ["requests[1].prompt.text", "requests[1].caller.user_id", "more"]
    assert list(violations(answer)) == named


async def test_few_of_many_bad_fields_are_named(http: httpx.AsyncClient) -> None:
    answer = await http.post(DECIDE, json={f"x{n}{'y' * 500}": 1 for n in range(4_000)})
    assert len(violations(answer)) == 8
    assert len(answer.content) < 8_192


async def test_details_say_what_grpc_s_say(http: httpx.AsyncClient) -> None:
    answer = await http.post(DECIDE, json={**body(), "caller": {"userId": " "}})
    assert list(violations(answer)) == ["caller.user_id"]


async def test_a_generated_client_may_be_newer_than_the_service(http: httpx.AsyncClient) -> None:
    newer = {**body(), "fieldOfTheFuture": 1}
    assert (await http.post(DECIDE, json=newer)).status_code == 400
    headers = {"connect-protocol-version": "1"}
    assert (await http.post(DECIDE, json=newer, headers=headers)).status_code == 200


async def test_every_rpc_is_there(http: httpx.AsyncClient) -> None:
    batch = await http.post(f"/{SERVICE}/BatchRouteDecisions", json={"requests": [body(), body()]})
    assert [set(each) for each in batch.json()["results"]] == [{"response"}, {"response"}]
    described = await http.post(f"/{SERVICE}/DescribeRouting", json={})
    assert described.json()["mode"] == "MODE_SHADOW"
    query = {"encoding": "json", "message": "{}", "connect": "v1"}
    assert (await http.get(f"/{SERVICE}/DescribeRouting", params=query)).status_code == 200
    plain = await http.get(f"/{SERVICE}/DescribeRouting")
    assert (plain.status_code, plain.json()) == (200, described.json())
    missing = await http.post(f"/{SERVICE}/ResolveRoute", json={"purpose": "p", "runId": "r"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_buf_s_own_client_decides_over_unary_calls_and_a_stream(peer: Peer) -> None:
    def method(name: str, asked: Any, answered: Any, kind: StreamType) -> MethodInfo[Any, Any]:
        return MethodInfo(
            name=name, service_name=SERVICE, input=asked, output=answered, stream_type=kind,
            idempotency_level=IdempotencyLevel.UNKNOWN,
        )  # fmt: skip

    decide = method(
        "RouteDecision", pb.RouteDecisionRequest, pb.RouteDecisionResponse, StreamType.UNARY
    )
    stream = method(
        "StreamRouteDecisions",
        stream_pb.StreamRouteDecisionsRequest,
        stream_pb.StreamRouteDecisionsResponse,
        StreamType.BIDI_STREAM,
    )

    async def requests() -> AsyncIterator[stream_pb.StreamRouteDecisionsRequest]:
        for number in range(40):
            yield stream_pb.StreamRouteDecisionsRequest(
                correlation_id=str(number), request=request(f"Sort list {number}.")
            )

    binary, _ = google_protobuf_codecs()
    address = f"http://127.0.0.1:{peer.running.http_port}"
    async with ConnectClient(address, codec=binary) as routing:
        answer = await routing.execute_unary(request=request(), method=decide)
        assert answer.outcome == pb.OUTCOME_ROUTED
        found = [
            each async for each in routing.execute_bidi_stream(request=requests(), method=stream)
        ]
    assert sorted(int(each.correlation_id) for each in found) == list(range(40))
    assert all(each.response.outcome == pb.OUTCOME_ROUTED for each in found)


async def test_grpc_web_has_its_status_in_the_body(http: httpx.AsyncClient) -> None:
    def frame(message: bytes) -> bytes:
        return struct.pack(">BI", 0, len(message)) + message

    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    wire = request().SerializeToString()
    answer = await http.post(DECIDE, content=frame(wire), headers=headers)
    assert answer.headers["content-type"] == "application/grpc-web+proto"
    flag, length = struct.unpack(">BI", answer.content[:5])
    assert flag == 0
    assert pb.RouteDecisionResponse.FromString(answer.content[5 : 5 + length]).serve_model
    assert b"grpc-status: 0" in answer.content[5 + length :]
    refused = await http.post(DECIDE, content=frame(b""), headers=headers)
    assert b"grpc-status: 3" in refused.content or refused.headers.get("grpc-status") == "3"


async def test_probes_and_metrics(peer: Peer, http: httpx.AsyncClient) -> None:
    await http.post(DECIDE, json=body())
    assert (await http.get("/healthz")).text == "ok\n"
    assert (await http.get("/readyz")).status_code == 200
    assert "pointsman_decisions_total" in (await http.get("/metrics")).text


async def test_a_wrong_path_method_or_type_says_what_is_right(http: httpx.AsyncClient) -> None:
    elsewhere = await http.get("/elsewhere")
    mistyped = await http.post(f"/{SERVICE}/NoSuchRpc", json={})
    for answer in (elsewhere, mistyped):
        assert answer.status_code == 404
        assert f"/{SERVICE}/NAME" in answer.text
    got = await http.get(DECIDE)
    assert (got.status_code, "POST" in got.text) == (405, True)
    typed = await http.post(DECIDE, content=b"{}", headers={"content-type": "text/yaml"})
    assert (typed.status_code, "application/json" in typed.text) == (415, True)


async def test_a_deadline_is_the_caller_s(http: httpx.AsyncClient) -> None:
    headers = {"connect-timeout-ms": "0"}
    answer = await http.post(DECIDE, json=body(), headers=headers)
    assert answer.json()["code"] in {"deadline_exceeded", "invalid_argument"}


# ---------------------------------------------------------------- who may call


async def test_tokens_hold_here_too(start: Starter, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"gateway {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    peer = await start(tokens_file=tokens)
    async with client(peer) as http:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
            answer = await http.post(DECIDE, json=body(), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert answer.json()["details"][0]["type"] == "google.rpc.ErrorInfo"
        assert (await http.get("/metrics")).status_code == 401
        assert (await http.get("/healthz")).status_code == 200
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await http.post(DECIDE, json=body(), headers=headers)).status_code == 200
        metrics = (await http.get("/metrics", headers=headers)).text
    assert 'caller="gateway"' in metrics


async def test_origins_are_named(start: Starter) -> None:
    peer = await start(http_allowed_origins="https://app.example.com")
    async with client(peer) as http:
        for origin, allowed in (("https://app.example.com", True), ("https://evil.example", False)):
            headers = {"origin": origin, "access-control-request-method": "POST"}
            asked = await http.options(DECIDE, headers=headers)
            assert ("access-control-allow-origin" in asked.headers) is allowed
            answer = await http.post(DECIDE, json=body(), headers={"origin": origin})
            assert ("access-control-allow-origin" in answer.headers) is allowed


async def test_tls_and_client_certificates(start: Starter, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue().put(tmp_path)
    peer = await start(
        tls_cert_file=pair.certificate, tls_key_file=pair.key, tls_client_ca_file=pair.ca
    )
    trusting = ssl.create_default_context(cafile=str(pair.ca))
    async with client(peer, "https", verify=trusting) as http:
        with pytest.raises(httpx.TransportError):
            await http.post(DECIDE, json=body())
    trusting.load_cert_chain(pair.certificate, pair.key)
    async with client(peer, "https", verify=trusting) as http:
        assert (await http.post(DECIDE, json=body())).status_code == 200
        metrics = (await http.get("/metrics")).text
    assert 'caller="localhost"' in metrics


async def test_new_certificates_serve_new_connections(start: Starter, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue().put(tmp_path)
    peer = await start(tls_cert_file=pair.certificate, tls_key_file=pair.key)

    async def serial() -> Any:
        context = ssl.create_default_context(cafile=str(pair.ca))
        _, writer = await asyncio.open_connection("localhost", peer.running.http_port, ssl=context)
        found = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        writer.close()
        return found

    before = await serial()
    assert await serial() == before
    authority.issue().put(tmp_path)
    assert await serial() != before


async def test_it_can_be_turned_off(start: Starter) -> None:
    peer = await start(http_listen="")
    assert peer.running.http_port is None


async def test_describe_is_the_same_message(peer: Peer, http: httpx.AsyncClient) -> None:
    by_grpc = await peer.stub.DescribeRouting(describe_pb.DescribeRoutingRequest(), timeout=10)
    answer = await http.post(f"/{SERVICE}/DescribeRouting", json={})
    by_http = json_format.ParseDict(answer.json(), describe_pb.DescribeRoutingResponse())
    for each in (by_grpc, by_http):
        each.ClearField("engines")  # what they are doing right now
    assert by_http == by_grpc
