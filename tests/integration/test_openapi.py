"""The OpenAPI document: valid, complete, and true of what the HTTP listener takes and answers."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pointsman.v1 import routing_service_pb2
from support.served import Starter, request

ROOT = Path(__file__).parents[2]
SERVICE = "pointsman.v1.RoutingService"
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs/reference/openapi.yaml").read_text())
WELL: dict[str, Any] = json_format.MessageToDict(request())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=8),
    "boolean": st.booleans(),
    "number": st.floats(0, 1),
}


def made(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema of this document."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return st.deferred(lambda: made(DOCUMENT["components"]["schemas"][name]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            values = _made_object(schema)
        case "array":
            values = st.lists(made(schema["items"]), max_size=2)
        case "integer":
            values = st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))
        case [*_]:  # 64 bits, as a string
            values = st.integers(0, 2**63).map(str)
        case scalar:
            values = SCALARS[scalar]
    return values


def _made_object(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    required = set(schema.get("required", ()))
    fields = {name: made(each) for name, each in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_rpc_is_in_it() -> None:
    methods = routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"].methods
    wanted = {f"/{SERVICE}/{m.name}" for m in methods}
    assert {path for path in DOCUMENT["paths"] if SERVICE in path} == wanted


async def test_it_is_served(start: Starter) -> None:
    peer = await start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        answer = await http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


async def test_every_rpc_takes_and_answers_what_it_says(start: Starter) -> None:
    peer = await start()
    bodies = {
        "RouteDecision": WELL,
        "BatchRouteDecisions": {"requests": [WELL, {"prompt": {}, "caller": {"userId": " "}}]},
        "ResolveRoute": {"purpose": "main_loop", "runId": "r-1", "prompt": WELL["prompt"]},
        "DescribeRouting": {},
    }
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        for name, body in bodies.items():
            validator(f"{name}Request").validate(body)
            answer = await http.post(f"/{SERVICE}/{name}", json=body, timeout=20)
            documented = DOCUMENT["paths"][f"/{SERVICE}/{name}"]["post"]["responses"]
            assert str(answer.status_code) in documented
            kind = f"{name}Response" if answer.is_success else "Error"
            validator(kind).validate(answer.json())
        plain = await http.get(f"/{SERVICE}/DescribeRouting")
        validator("DescribeRoutingResponse").validate(plain.json())
        assert plain.json()["tiers"]


STREAM = f"/{SERVICE}/StreamRouteDecisions"
ENVELOPED = {"content-type": "application/connect+json"}


def enveloped(*messages: Any) -> bytes:
    texts = [json.dumps(each).encode() for each in messages]
    return b"".join(struct.pack(">BI", 0, len(text)) + text for text in texts)


def opened(wire: bytes) -> Iterator[tuple[int, Any]]:
    """The flags and the message of each envelope."""
    while wire:
        flags, length = struct.unpack(">BI", wire[:5])
        yield flags, json.loads(wire[5 : 5 + length])
        wire = wire[5 + length :]


def items(part: dict[str, Any]) -> Draft202012Validator:
    """What validates each message of a body, by the schema of its media type."""
    return Draft202012Validator(
        part["content"][ENVELOPED["content-type"]]["x-oai-itemSchema"] | DOCUMENT
    )


async def test_the_stream_takes_and_answers_the_envelopes_that_it_says(start: Starter) -> None:
    peer = await start()
    post = DOCUMENT["paths"][STREAM]["post"]
    messages = [
        {"correlationId": "a", "request": WELL},
        {"correlationId": "b", "request": {"prompt": {}, "caller": {"userId": " "}}},
    ]
    for each in messages:
        items(post["requestBody"]).validate(each)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        answer = await http.post(STREAM, content=enveloped(*messages), headers=ENVELOPED)
        broken = await http.post(STREAM, content=b"?", headers=ENVELOPED)
    *answers, (flag, end) = opened(answer.content)
    for _, each in answers:
        items(post["responses"]["200"]).validate(each)
    assert {each["correlationId"]: each.keys() - {"correlationId"} for _, each in answers} == {
        "a": {"response"},
        "b": {"status"},
    }
    assert [flags for flags, _ in answers] == [0, 0]
    assert (flag, end) == (2, {})
    [(flag, end)] = opened(broken.content)
    validator("StreamEnd").validate(end)
    assert (flag, end["error"]["code"]) == (2, "invalid_argument")


async def test_a_refusal_before_the_stream_has_a_documented_status(
    start: Starter, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"gateway {hashlib.sha256(b'token').hexdigest()}\n")
    peer = await start(tokens_file=tokens)
    known = {"authorization": "Bearer token"}
    refused = {
        "401": ENVELOPED,
        "415": {"content-type": "text/plain"} | known,
        "400": ENVELOPED | known | {"x-text": b"\xff"},
    }
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        for status, headers in refused.items():
            answer = await http.post(STREAM, content=enveloped({}), headers=headers)
            assert str(answer.status_code) == status
            assert status in DOCUMENT["paths"][STREAM]["post"]["responses"]


@pytest.mark.parametrize(
    "bad",
    [
        {**WELL, "prompts": {}},
        {**WELL, "caller": {"userId": 7}},
        {**WELL, "dataPolicy": "X"},
        {**WELL, "routing": {"candidateModels": ["a"]}},
        {"caller": WELL["caller"]},
    ],
    ids=["unknown field", "wrong type", "no value of the enum", "no tier", "no prompt"],
)
async def test_what_the_schema_refuses_is_refused_with_a_documented_error(
    start: Starter, bad: dict[str, Any]
) -> None:
    assert not validator("RouteDecisionRequest").is_valid(bad)
    peer = await start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        answer = await http.post(f"/{SERVICE}/RouteDecision", json=bad, timeout=20)
    assert answer.status_code == 400
    validator("Error").validate(answer.json())
    kinds = [each["type"] for each in answer.json()["details"]]
    assert kinds == ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]


async def test_requests_made_from_the_schema_are_read(start: Starter) -> None:
    """The service may refuse a value (a blank id), but knows every field and its type."""
    peer = await start()
    bodies: list[dict[str, Any]] = []

    @settings(max_examples=60, database=None, derandomize=True, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(made({"$ref": "#/components/schemas/RouteDecisionRequest"}))
    def collect(body: dict[str, Any]) -> None:
        bodies.append(body)

    collect()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{peer.running.http_port}") as http:
        for body in bodies:
            validator("RouteDecisionRequest").validate(body)
            answer = await http.post(f"/{SERVICE}/RouteDecision", json=body, timeout=20)
            assert answer.status_code in (200, 400)
            validator("RouteDecisionResponse" if answer.is_success else "Error").validate(
                answer.json()
            )
            for said in ("no such field", "must be a ", "must be an integer", "must be one of"):
                assert said not in answer.json().get("message", ""), body
