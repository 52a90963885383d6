"""The id of a response, from its first bytes, however they are cut."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest
from pointsman_http.response_ids import MOST, ResponseIdReader

OTHERS = {
    "conversation": {"id": "conv_1"},
    "text": 'a "id": "b" \\',
    "list": [{"id": "x"}, "id", 1],
}
RESPONSE = {**OTHERS, "object": "response", "id": "resp_3", "output": [{"id": "msg_1"}]}


def read(body: bytes, *, step: int = 1) -> list[str]:
    found: list[str] = []
    reader = ResponseIdReader(found.append)
    assert reader.start(200, "")
    for at in range(0, len(body), step):
        reader.feed(body[at : at + step])
    return found


def events(*documents: Any) -> bytes:
    lines = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in documents]
    return "".join([': a comment with "\n\n', *lines, "data: [DONE]\n\n"]).encode()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_the_id_of_a_body_is_the_outermost(step: int, indent: int | None) -> None:
    assert read(json.dumps(RESPONSE, indent=indent).encode(), step=step) == ["resp_3"]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
def test_the_id_of_a_stream_is_that_of_its_response(step: int) -> None:
    stream = events(
        {"type": "other", "id": "event_1", "response": None},
        {"type": "response.created", "id": "event_2", "response": RESPONSE},
        {"type": "response.completed", "response": {"id": "resp_4"}},
    )
    assert read(stream, step=step) == ["resp_3"]
    assert read(stream.replace(b"\n", b"\r\n"), step=step) == ["resp_3"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"output":[{"id":"msg_1"}]}',
        b'{"id":null,"output":"id"}',
        b'{"id":"with \\u0041 escapes"}',
        b'{"id":"' + b"x" * 257 + b'"}',
        b'}]"id":"x"',
        b'{"a":"' + b"x" * MOST + b'","id":"resp_1"}',
        b'data: {"id":"x"}\n\n',
    ],
    ids=lambda body: body[:20],
)
def test_of_others_there_is_none(body: bytes) -> None:
    assert read(body, step=1_000) == []


def test_a_long_body_in_bytes_is_read_once() -> None:
    body = b'{"instructions":"' + b"x" * (MOST - 100) + b'","id":"resp_1"}'
    began = process_time()
    assert read(body) == ["resp_1"]
    assert process_time() - began < 2
