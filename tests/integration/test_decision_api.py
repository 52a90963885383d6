"""The scripted decision model over real sockets: both formats, refusals, and the service on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.decision_api import build_app
from pointsman_server.http_api.keys import FixedKeys
from pointsman_server.http_api.server import serve
from support.remote import RULE, decision_model_codec, decision_model_rules
from support.scripted import ENVIRONMENT, FORMATS, KEY, engines_section
from support.served import Starter, policy_text, request

each_format = pytest.mark.parametrize("wire", list(FORMATS))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    listening = await serve(build_app(reader=RULE, keys=FixedKeys((KEY,))), grace=0.1)
    yield listening.url
    await listening.aclose()


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
        yield client


def body_of(wire: str, *, prompt: str = "Hi", average_orders: bool = False) -> dict[str, Any]:
    rules = decision_model_rules(format=FORMATS[wire], average_orders=average_orders)
    body: dict[str, Any] = json.loads(decision_model_codec(rules).encode_prompt(prompt))
    return body


@each_format
@pytest.mark.parametrize("average_orders", [False, True], ids=["one order", "both orders"])
async def test_what_the_engine_asks_is_answered_by_the_embedded_reader(
    client: httpx.AsyncClient, wire: str, average_orders: bool
) -> None:
    prompt = "Write a SQL query for the ten customers with the highest revenue"
    rules = decision_model_rules(format=FORMATS[wire], average_orders=average_orders)
    codec = decision_model_codec(rules)
    response = await client.post(f"/v1/{wire}", json=json.loads(codec.encode_prompt(prompt)))
    assert response.status_code == 200
    assert response.json()["model"] == "jev-latest"
    labels = RULE.read(prompt)
    found = codec.classification(response.content)
    assert found is not None
    assert found.domain is not None
    assert found.domain.label == labels.domain


@each_format
async def test_a_question_that_is_not_known_is_left_out_or_refused(
    client: httpx.AsyncClient, wire: str
) -> None:
    body = body_of(wire)
    if wire == "systemone":
        body["questions"]["poem"] = {"type": "noul", "instructions": "Is it a poem?"}
        answers = (await client.post("/v1/systemone", json=body)).json()["answers"]
        assert set(answers) == {"effort", "domain", "needs_info", "turn"}
    else:
        body["questions"].append({"type": "predicate", "instructions": "It is a poem."})
        answers = (await client.post("/v1/decisions", json=body)).json()["answers"]
        assert answers[-1] == {"type": "refusal", "name": None}
        assert len(answers) == 5


@pytest.mark.parametrize(
    ("wire", "change", "field"),
    [
        ("systemone", {"state": " "}, "state"),
        ("systemone", {"state": 7}, "state"),
        ("systemone", {"state": "x" * 40_000}, "state"),
        ("systemone", {"model": ""}, "model"),
        ("systemone", {"questions": {}}, "questions"),
        ("systemone", {"questions": []}, "questions"),
        ("systemone", {"extra": 1}, "body"),
        ("systemone", {"questions": {"q": {"type": "essay"}}}, "questions.q"),
        ("systemone", {"questions": {"q": {"type": "noul", "name": "x"}}}, "questions.q"),
        ("systemone", {"questions": {"q": {"type": "choice"}}}, "questions.q.criteria"),
        ("systemone", {"questions": {"q": {"type": "score", "criteria": []}}},
         "questions.q.criteria"),
        ("decisions", {"input": None}, "input"),
        ("decisions", {"input": [{"role": "assistant", "content": "x"}]}, "input"),
        ("decisions", {"questions": {}}, "questions"),
        ("decisions", {"questions": [7]}, "questions[0]"),
        ("decisions", {"questions": [{"type": "predicate"}]}, "questions[0].instructions"),
        ("decisions", {"questions": [{"type": "choice", "instructions": "x", "choices": []}]},
         "questions[0].choices"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_refused_with_the_name_of_its_field(
    client: httpx.AsyncClient, wire: str, change: dict[str, Any], field: str
) -> None:
    response = await client.post(f"/v1/{wire}", json=body_of(wire) | change)
    assert response.status_code == 422
    assert [bad["field"] for bad in response.json()["error"]["fields"]] == [field]


async def test_the_last_user_message_is_what_is_read(client: httpx.AsyncClient) -> None:
    def asked(given: object) -> dict[str, Any]:
        return body_of("decisions") | {"input": given}

    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": [{"type": "input_text", "text": "Prove Fermat's theorem"}]},
    ]
    whole = (await client.post("/v1/decisions", json=asked("Prove Fermat's theorem"))).json()
    last = (await client.post("/v1/decisions", json=asked(messages))).json()
    assert last["answers"] == whole["answers"]


@each_format
async def test_nothing_is_answered_without_a_key(url: str, wire: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        response = await client.post(f"/v1/{wire}", json=body_of(wire))
        assert response.status_code == 401
        assert (await client.get("/health")).status_code == 200


@each_format
async def test_the_service_decides_by_it(start: Starter, url: str, wire: str) -> None:
    peer = await start(
        policy=policy_text(engines=engines_section(wire, url)), environment=ENVIRONMENT
    )
    decision = (await peer.decide(request())).decision
    assert decision.source == pb.SOURCE_DECISION_MODEL
    assert decision.explanation.startswith(f"{wire}: ")
    assert 1 <= decision.effort <= 5
