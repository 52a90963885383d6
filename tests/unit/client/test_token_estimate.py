"""The token estimate is an upper one, by script and kind of text; media are not free."""

from __future__ import annotations

import base64
import json
import random
import time
from typing import Any

import pytest
from pointsman_client import normalise
from pointsman_client.bodies.size import json_bytes

DICE = random.Random(14)


def estimate(content: Any, **fields: Any) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    normalised = normalise(body, "chat_completions")
    assert normalised is not None
    return normalised.prompt_tokens_estimate or 0


def of_length(characters: int, piece: str) -> str:
    return (piece * (characters // len(piece) + 1))[:characters]


def minified(characters: int) -> str:
    rows: list[dict[str, Any]] = []
    while len(json.dumps(rows, separators=(",", ":"))) < characters:
        rows += [
            {"id": DICE.randrange(99_999), "ok": True, "price": round(DICE.random() * 100, 2)}
            for _ in range(500)
        ]
    return json.dumps(rows, separators=(",", ":"))[:characters]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param(of_length(110_000, "请把这个函数重命名然后解释它"), 60_000, id="Chinese"),
        pytest.param(f"{DICE.getrandbits(440_000):0110000x}", 88_000, id="hex"),
        pytest.param(of_length(110_000, "สวัสดีครับผมต้องการความช่วยเหลือ"), 41_400, id="Thai"),
        pytest.param(minified(105_000), 67_500, id="minified JSON"),
        pytest.param(of_length(110_000, "Why is the parser slow here? "), 27_500, id="English"),
    ],
)  # fmt: skip
def test_a_text_is_rated_by_its_script_and_kind(text: str, tokens: int) -> None:
    assert estimate(text) == pytest.approx(tokens, rel=0.02)


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (base64.b64encode(DICE.randbytes(75_000)).decode(), 60_000),
        (of_length(50_000, "これはテストです。"), 25_000),
        (of_length(50_000, "안녕하세요 도와주세요 "), 25_000),
        (of_length(50_000, "Почему это так медленно? "), 15_000),
        (of_length(50_000, "مرحبا كيف حالك "), 15_000),
        (of_length(50_000, "नमस्ते आप कैसे हैं "), 20_000),
        (of_length(10_000, "😀🎉🚀"), 15_000),
        (of_length(50_000, "3f2504e0-4f89-11d3-9a0c-0305e82c3301 "), 30_000),
    ],
    ids=["Base64", "Japanese", "Korean", "Russian", "Arabic", "Hindi", "emoji", "UUIDs"],
)
def test_dense_texts_are_not_rated_as_english(text: str, least: int) -> None:
    assert estimate(text) >= least


def test_a_dense_text_behind_much_english_is_seen() -> None:
    english = [{"type": "text", "text": "Why is it slow? " * 100}] * 2_000
    dense = {"type": "text", "text": of_length(200_000, "请把这个函数重命名")}
    assert estimate([*english, dense]) - estimate(english) >= 100_000


def test_images_cost_what_providers_count() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://e.x/a.png"}}
    assert estimate([image] * 150, max_tokens=4_000) == pytest.approx(225_000, rel=0.03)
    low = {"type": "image_url", "image_url": {"url": "https://e.x/a.png", "detail": "low"}}
    assert estimate([low] * 150) == 150 * 85


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "base64", "data": "A" * 4_266_668}},
        {"type": "file", "file": {"file_data": "A" * 4_266_668}},
        {"type": "input_file", "file_data": "A" * 4_266_668},
    ],
)
def test_the_pages_of_a_document_count(part: dict[str, Any]) -> None:
    assert 32 * 1_500 <= estimate([part]) <= 32 * 3_500


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "url", "url": "https://e.x/a.pdf"}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "input_audio", "input_audio": {"data": "A" * 1_000_000}},
        {"type": "video_url", "video_url": {"url": "https://e.x/a.mp4"}},
    ],
)
def test_no_medium_is_free(part: dict[str, Any]) -> None:
    assert estimate([part]) >= 1_000


def test_a_document_of_parts_counts_as_its_parts() -> None:
    text = {"type": "text", "text": "u" * 400}
    document = {"type": "document", "source": {"type": "content", "content": [text]}}
    assert estimate([document]) == 100


def test_long_texts_are_sampled_and_not_read() -> None:
    text = of_length(16_000_000, "Why is the parser slow here? ")
    began = time.process_time()
    assert estimate(text) == pytest.approx(4_000_000, rel=0.05)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "messages": [{"role": "user", "content": "Why is it slow?" * 50}]},
        {"model": "m", "messages": [{"role": "user", "content": '请把这个函数\n"重命名"' * 50}]},
        {"model": "m", "tools": [{"name": {"b": [1000, None, True, 2.55]}}] * 20, "messages": []},
    ],
)  # fmt: skip
def test_the_size_of_a_body_is_near_that_of_its_json(body: dict[str, Any]) -> None:
    written = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert json_bytes(body) == pytest.approx(len(written), rel=0.1)
    normalised = normalise(body, "chat_completions")
    assert normalised is not None
    assert normalised.body_bytes == json_bytes(body)
