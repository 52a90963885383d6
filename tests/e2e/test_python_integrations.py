"""The SDKs of OpenAI and Anthropic and a FastAPI gateway, unmodified, with decided models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from e2e.parts.cache import cached
from e2e.parts.pointsman import pointsman_serve, policy_document

pytestmark = [pytest.mark.part("Python SDKs and ASGI"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements" / "sdks.txt"
PICK = "anthropic/claude-opus-4.8"
LLM = {
    "provider": "openai",
    "model": "primary",
    "profiles": {"second": {"model": "secondary"}},
    "routes": {"main_loop": {"profile": "default", "fallback_profiles": ["second"]}},
}
DECIDED = {
    "openai chat": "Hello",
    "openai raw response": "Hello",
    "openai stream": "Hello",
    "openai stream comes in pieces": "Hel|lo",
    "openai responses": "Hello",
    "openai options": "Hello",
    "anthropic messages": "Hello",
    "anthropic raw response": "Hello",
    "anthropic stream": "Hello",
    "anthropic beta": "Hello",
    "async openai chat": "Hello",
    "async openai stream": "Hello",
    "async anthropic messages": "Hello",
    "async anthropic stream": "Hello",
    "azure chat": "Hello",
    "azure stream": "Hello",
    "azure responses": "Hello",
    "async azure chat": "Hello",
    "vertex messages": "Hello",
    "vertex stream": "Hello",
    "async vertex messages": "Hello",
    "foundry messages": "Hello",
    "foundry stream": "Hello",
    "bedrock messages": "Hello",
    "gateway chat": "Hello",
    "gateway stream comes in pieces": "Hel|lo",
}
FALLBACKS = (
    "openai fallback", "openai stream fallback", "anthropic fallback",
    "async openai fallback", "async anthropic fallback",
    "azure fallback", "vertex fallback", "foundry fallback", "bedrock fallback",
)  # fmt: skip


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--require-hashes", "--target", folder, "-r", PINNED], check=True, timeout=900
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    name = f"sdks-{sha256(PINNED.read_bytes()).hexdigest()[:12]}"
    paths = [
        cached(name, _install),
        *(ROOT / each for each in ("client", "protos", "integrations")),
    ]
    policy = policy_document(llm=LLM)
    policy["mode"] = "serve"
    with pointsman_serve(tmp_path_factory.mktemp("sdks"), policy=policy) as service:
        run = subprocess.run(
            # -S -P: neither the packages of this environment nor the modules beside the program.
            [sys.executable, "-S", "-P", ROOT / "tests/e2e/parts/sdk_routing.py", service.address,
             ROOT],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
            check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        found: dict[str, Any] = json.loads(run.stdout)
        found["lines"] = service.decisions()
        yield found


@pytest.mark.parametrize("case", DECIDED)
def test_the_decided_model_answers(found: dict[str, Any], case: str) -> None:
    answer = found[case]
    assert answer["text"] == DECIDED[case]
    [model] = answer["models"]
    assert "/" in model
    assert model not in ("kilo-auto/frontier", PICK)  # an easy prompt: something cheaper
    if "raw" in case:
        assert answer["headers"] == {"x-pointsman-model": model, "x-pointsman-why": "routed"}


@pytest.mark.parametrize("case", FALLBACKS)
def test_the_next_model_answers_where_the_first_is_overloaded(
    found: dict[str, Any], case: str
) -> None:
    answer = found[case]
    assert answer["text"] == "Hello"
    assert len(set(answer["models"])) == len(answer["models"]) == 2


def test_a_purpose_is_tried_down_its_profiles(found: dict[str, Any]) -> None:
    assert found["async purpose"]["models"] == ["primary", "secondary"]


def test_a_caller_s_mistake_is_the_sdk_s_error(found: dict[str, Any]) -> None:
    answer = found["openai refusal"]
    assert (answer["text"], len(answer["models"])) == ("BadRequestError", 1)


@pytest.mark.parametrize("case", ["azure one deployment", "bedrock signs"])
def test_a_client_whose_model_cannot_be_changed_is_refused(
    found: dict[str, Any], case: str
) -> None:
    assert (found[case]["models"], found[case]["text"]) == ([], "TypeError")


@pytest.mark.parametrize(
    "case", ["openai a concrete model", "azure a concrete model", "gateway a concrete model"]
)
def test_a_concrete_model_passes(found: dict[str, Any], case: str) -> None:
    assert (found[case]["models"], found[case]["text"]) == (["m"], "m")


def test_the_rest_of_the_surface_is_there(found: dict[str, Any]) -> None:
    assert found["openai models"]["text"] == "m"
    assert found["gateway other paths"]["text"] == "FastAPI"
    assert found["gateway ends"]["text"] == "True"


@pytest.mark.parametrize("case", ["anthropic", "vertex", "foundry"])
def test_tokens_are_counted_for_the_model_of_the_conversation(
    found: dict[str, Any], case: str
) -> None:
    turn, count = found[f"{case} count tokens"]["models"]
    assert (turn == count, found[f"{case} count tokens"]["text"]) == (True, 7)


def test_the_static_pick_serves_without_a_service(found: dict[str, Any]) -> None:
    assert found["nobody decides"]["models"] == [PICK]


def test_the_example_runs_as_it_stands(found: dict[str, Any]) -> None:
    models = found["example"]["models"]
    assert models[1] == PICK != models[0]  # a proof, after a question
    assert found["example"]["text"].count("Hello") == 2
